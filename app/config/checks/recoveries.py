"""Recovery that could never happen."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.continuing import continues
from app.config.routing import Route
from app.config.schema import Settings
from app.config.trees import Loc


def recoveries(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find routes that recover and have no second target that can go on; fallbacks are taken to be able."""
    for name, route in settings.models.items():
        if route.recovery.enabled and not route.fallbacks and not _can(route, settings):
            expected = "false, as no target of this route but the first can go on with a text"
            advice = "add such a target or a fallback, or declare what a provider does by its 'continues'"
            yield ("models", name, "recovery", "enabled"), Complaint("true", expected, advice)


def _can(route: Route, settings: Settings) -> bool:
    if len({(target.provider, target.model) for target in route.targets}) == 1:
        return False
    onward = route.targets[1:] if route.strategy == "sequential" else route.targets
    known = [(settings.providers.get(target.provider), target.model) for target in onward]
    return any(provider is None or continues(provider, model) is not None for provider, model in known)
