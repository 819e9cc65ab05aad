"""The page about providers says what the code does."""

from __future__ import annotations

from pathlib import Path

from app.config.presets import PRESETS
from tests.providers.conformance.matrix import matrix

PAGE = (Path(__file__).parents[2] / "docs" / "providers.md").read_text(encoding="utf-8")


def test_the_matrix_is_what_the_suite_proves() -> None:
    """The table is the one of the golden files; `python -m tests.providers.conformance.matrix` writes it anew."""
    assert matrix() in PAGE


def test_every_native_kind_is_told_of() -> None:
    """Each kind with a dialect of its own has a paragraph."""
    for name, preset in PRESETS.items():
        assert preset.dialect == "openai" or f"`kind: {name}`" in PAGE
