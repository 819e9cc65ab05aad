"""References of routes that lead nowhere."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names, listed, unknown_provider
from app.config.problems import did_you_mean, shown
from app.config.routing import Route
from app.config.schema import Settings
from app.config.trees import Loc


def references(settings: Settings, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find targets and fallbacks that are not there."""
    for name, route in settings.models.items():
        for loc, complaint in _route(name, route, names):
            yield ("models", name, *loc), complaint


def _route(name: str, route: Route, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    for index, target in enumerate(route.targets):
        if target.provider not in names.providers:
            yield ("targets", index, "provider"), unknown_provider(target.provider, target.provider, names)
    for index, fallback in enumerate(route.fallbacks):
        complaint = _fallback(name, fallback, names)
        if complaint is not None:
            yield ("fallbacks", index), complaint


def _fallback(name: str, fallback: str, names: Names) -> Complaint | None:
    if fallback == name:
        return Complaint(repr(fallback), "another route, or provider/model", "remove it: a route cannot replace itself")
    if fallback in names.routes:
        return None
    provider, *model = re.split(r"[/:]", fallback, maxsplit=1)
    if not model or not model[0]:
        known = listed(names.routes - {name})
        suggestion = did_you_mean(fallback, names.routes - {name}) or "add the route under models"
        return Complaint(shown((), fallback), f"a route ({known}), or provider/model", suggestion)
    return None if provider in names.providers else unknown_provider(fallback, provider, names)
