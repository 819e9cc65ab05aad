"""Targets that several routes describe differently."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.problems import shown_key
from app.config.schema import Settings
from app.config.trees import Loc


def bounds(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find targets that several routes bound differently: the bound belongs to the target, not to the route."""
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for name, route in settings.models.items():
        for index, target in enumerate(route.targets):
            most = target.max_in_flight
            if most is None:
                continue
            where, other = first.setdefault((target.provider, target.model), (name, most))
            if most != other:
                expected = f"{other}, as route {shown_key(where)} has it for the same target"
                suggestion = "write the same number, or leave one of them out: the bound holds for all routes together"
                yield ("models", name, "targets", index, "max_in_flight"), Complaint(str(most), expected, suggestion)
