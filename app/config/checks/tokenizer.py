"""A tokenizer that could not count."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from app.config.checks.complaint import Complaint, Names
from app.config.problems import shown
from app.config.schema import Settings
from app.config.trees import Loc
from app.core.vocabularies import PACKAGE, VOCABULARIES


def tokenizer(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find a folder without tables, and tables without the package that reads them."""
    folder = settings.tokenizer.tables
    if folder is None:
        return
    loc, value = ("tokenizer", "tables"), shown((), folder)
    files = [name for vocabulary in VOCABULARIES.values() for name in vocabulary.files]
    if not any((Path(folder) / name).is_file() for name in files):
        wanted = " or ".join(vocabulary.files[0] for vocabulary in VOCABULARIES.values())
        yield loc, Complaint(value, f"a folder with {wanted}", "put a table there, or remove it")
    elif find_spec(PACKAGE) is None:
        expected = f"null, as the package {PACKAGE} is not installed"
        yield loc, Complaint(value, expected, f"install {PACKAGE}, or remove it")
