"""An adaptive limit without a limit."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.schema import Settings
from app.config.trees import Loc


def adaptive_limit(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find an adaptive limit that has nothing to move below."""
    if settings.admission.adaptive and settings.admission.max_in_flight is None:
        expected = "false, as admission.max_in_flight is null: an adaptive limit moves below that one"
        yield ("admission", "adaptive"), Complaint("true", expected, "set admission.max_in_flight, or remove it")
