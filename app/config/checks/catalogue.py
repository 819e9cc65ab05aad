"""Check facts and prices of models, and the catalogue file."""

from __future__ import annotations

import re
from pathlib import Path

from app.config.catalogue import CatalogueError, read_catalogue
from app.config.checks.complaint import Complaint, Complaints, Names, unknown_provider
from app.config.problems import shown
from app.config.schema import Settings


def catalogue(settings: Settings, names: Names) -> Complaints:
    """Find facts and prices of models of unknown providers, and a file that cannot be read."""
    known = [("catalogue", "models", name) for name in settings.catalogue.models]
    prices = [("prices", name) for name in settings.prices]
    for loc in (*known, *prices):
        provider, *model = re.split(r"[/:]", loc[-1], maxsplit=1)
        if not model or provider not in names.providers:
            yield loc, unknown_provider(loc[-1], provider, names)
    path = settings.catalogue.file
    if path is not None:
        try:
            read_catalogue(Path(path))
        except CatalogueError as error:
            expected = f"a file in the form of the built-in one: {error}"
            yield ("catalogue", "file"), Complaint(shown((), path), expected, "correct it, or remove it")
