"""
Recorded translations: what goes in and what has to come out, as files that people can read.

A file is JSON with a member for each side. With WIZARD_GOLDEN=write in the environment the tests write down what the
code does instead of checking it; `git diff` then shows what changed.
"""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import Any

_WRITES = os.environ.get("WIZARD_GOLDEN") == "write"


def names_in(folder: Path, ending: str = ".json") -> list[str]:
    """Return the names of the recordings in `folder`."""
    return sorted(path.name.removesuffix(ending) for path in folder.glob(f"*{ending}"))


def recorded(path: Path) -> dict[str, Any]:
    """Return a recording."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def agrees(path: Path, member: str, produced: object) -> None:
    """Check that `produced` is what the recording has in `member`."""
    recording = recorded(path)
    if _WRITES and recording.get(member) != produced:
        recording[member] = produced
        path.write_text(_shown(recording), encoding="utf-8")
    difference = difflib.unified_diff(
        _shown(recording.get(member)).splitlines(), _shown(produced).splitlines(), f"{path.name}: {member}", "produced"
    )
    assert recording.get(member) == produced, "\n".join(difference)


def agrees_as_text(path: Path, produced: bytes) -> None:
    """Check that `produced` is what the recording holds, byte for byte."""
    if _WRITES:
        path.write_bytes(produced)
    recording = path.read_bytes() if path.exists() else b""
    before, after = recording.decode().splitlines(), produced.decode().splitlines()
    assert recording == produced, "\n".join(difflib.unified_diff(before, after, path.name, "produced"))


def _shown(value: object) -> str:
    return json.dumps(value, indent=1, ensure_ascii=False) + "\n"
