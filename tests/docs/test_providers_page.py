"""The pages about providers say what the code does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.config.presets import PRESETS
from tests.providers.conformance.dialects import COLUMNS
from tests.providers.conformance.features import SUITE
from tests.providers.conformance.matrix import PAGE, cells, matrix, presets
from tests.support.gateway import LIMIT_S

ROOT = Path(__file__).parents[2]
PROVIDERS = (ROOT / "docs" / "providers.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def collected() -> set[str]:
    """Return the names of all tests of the suite."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", SUITE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=True)
    return {line for line in done.stdout.splitlines() if "::" in line}


def test_the_matrix_is_what_the_suite_proves() -> None:
    """The page has the tables of today; `python -m tests.providers.conformance.matrix` writes them anew."""
    page = PAGE.read_text(encoding="utf-8")

    assert matrix() in page
    assert presets() in page


def test_every_cell_has_a_test_behind_it(collected: set[str]) -> None:
    """Whatever a cell claims, a test of this name would fail if it were otherwise."""
    claimed = {cell.test: f"{feature}: {cell.mark}" for _, feature, found in cells() for cell in found}

    assert {test: claim for test, claim in claimed.items() if test not in collected} == {}


def test_every_dialect_has_a_column() -> None:
    """Whatever dialect a preset speaks, it is in the tables."""
    spoken = {preset.dialect for preset in PRESETS.values()}

    assert spoken <= {dialect.name for dialect in COLUMNS} | {"sim", "local"}


def test_every_native_kind_is_told_of() -> None:
    """Each kind with a dialect of its own has a paragraph."""
    for name, preset in PRESETS.items():
        assert preset.dialect == "openai" or f"`kind: {name}`" in PROVIDERS
