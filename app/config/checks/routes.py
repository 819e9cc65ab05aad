"""Check routes: broken references, and targets that cannot do what their route requires."""

from __future__ import annotations

from app.config.checks.complaint import Complaint, Complaints, Names, no_route, unknown_provider, unusable
from app.config.plugins import ROUTE_STRATEGIES
from app.config.problems import shown_key
from app.config.routing import Route
from app.config.schema import Settings
from app.config.trees import Loc


def references(settings: Settings, names: Names) -> Complaints:
    """Find targets and fallbacks that do not exist."""
    for name, route in settings.models.items():
        for index, target in enumerate(route.targets):
            if target.provider not in names.providers:
                loc = ("models", name, "targets", index, "provider")
                yield loc, unknown_provider(target.provider, target.provider, names)
        for index, fallback in enumerate(route.fallbacks):
            yield from _fallback(("models", name, "fallbacks", index), fallback, name, names)


def _fallback(loc: Loc, fallback: str, route: str, names: Names) -> Complaints:
    if fallback == route:
        advice = "remove it: a route cannot replace itself"
        yield loc, Complaint(repr(fallback), "another route, or provider/model", advice)
    else:
        yield from no_route(loc, fallback, Names(names.providers, names.routes - {route}))


def strategies(settings: Settings, _names: Names) -> Complaints:
    """Find routes whose strategy is unknown or broken."""
    for name, route in settings.models.items():
        yield from unusable(("models", name, "strategy"), route.strategy, "strategy", ROUTE_STRATEGIES)


def hedges(settings: Settings, _names: Names) -> Complaints:
    """Find hedged routes with a single target, and contradictory bounds."""
    for name, route in settings.models.items():
        if route.hedge.enabled:
            yield from _hedge(("models", name, "hedge"), route)


def _hedge(loc: Loc, route: Route) -> Complaints:
    if len({(target.provider, target.model) for target in route.targets}) == 1:
        expected = "false, as this route has one target: a hedge needs another one, and fallbacks are for failures"
        yield (*loc, "enabled"), Complaint("true", expected, "add a target that is as good, or leave hedge out")
    if route.hedge.min_s > route.hedge.max_s:
        most = f"{route.hedge.max_s:g}"
        yield (*loc, "min_s"), Complaint(f"{route.hedge.min_s:g}", f"at most max_s, which is {most}", "lower it")


def recoveries(settings: Settings, _names: Names) -> Complaints:
    """Find routes with recovery but no second target that can continue a text; fallbacks are assumed to be able."""
    for name, route in settings.models.items():
        if route.recovery.enabled and not route.fallbacks and not _goes_on(route, settings):
            expected = "false, as no target of this route but the first can go on with a text"
            advice = "add such a target or a fallback, or declare what a provider does by its 'continues'"
            yield ("models", name, "recovery", "enabled"), Complaint("true", expected, advice)


def _goes_on(route: Route, settings: Settings) -> bool:
    if len({(target.provider, target.model) for target in route.targets}) == 1:
        return False
    onward = route.targets[1:] if route.strategy == "sequential" else route.targets
    known = [(settings.providers.get(target.provider), target.model) for target in onward]
    return any(provider is None or provider.goes_on(model) is not None for provider, model in known)


def bounds(settings: Settings, _names: Names) -> Complaints:
    """Find targets with different bounds in several routes: the bound belongs to the target, not to the route."""
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
