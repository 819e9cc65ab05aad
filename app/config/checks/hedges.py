"""Hedges that could never begin."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.routing import Route
from app.config.schema import Settings
from app.config.trees import Loc


def hedges(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find hedged routes with one target, and bounds that contradict each other."""
    for name, route in settings.models.items():
        if route.hedge.enabled:
            yield from _hedge(("models", name, "hedge"), route)


def _hedge(loc: Loc, route: Route) -> Iterator[tuple[Loc, Complaint]]:
    if len({(target.provider, target.model) for target in route.targets}) == 1:
        expected = "false, as this route has one target: a hedge needs another one, and fallbacks are for failures"
        yield (*loc, "enabled"), Complaint("true", expected, "add a target that is as good, or leave hedge out")
    if route.hedge.min_s > route.hedge.max_s:
        most = f"{route.hedge.max_s:g}"
        yield (*loc, "min_s"), Complaint(f"{route.hedge.min_s:g}", f"at most max_s, which is {most}", "lower it")
