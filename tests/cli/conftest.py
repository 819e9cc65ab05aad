"""A folder of its own for the command, and files in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Work in an empty folder, without a variable that names a configuration, and write files there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WIZARD_CONFIG", raising=False)

    def file(text: str, name: str = "given.yaml") -> str:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return name

    return file
