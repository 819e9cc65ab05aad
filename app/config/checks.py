"""The checks that need more than one setting: references between routes and providers, strategies and their prices."""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from app.config.origins import Origins
from app.config.problems import MISSING, Problem, did_you_mean, dotted, shown, shown_key
from app.config.routing import Provider, Route
from app.config.schema import Settings
from app.config.strategies import GROUP, StrategyError, require_strategy, strategy_names
from app.config.trees import Loc

_LISTED: Final = 8
# What kinds that answer on this machine by themselves have no use for, and must therefore not be given.
_WITHOUT: Final = MappingProxyType(
    {
        "sim": ("base_url", "api_key", "api_keys", "headers", "proxy"),
        "local": ("base_url", "api_key", "api_keys", "proxy"),
    }
)


@dataclass(frozen=True, slots=True)
class Names:
    """All names that are configured, also those whose own entry is wrong and is reported elsewhere."""

    providers: AbstractSet[str]
    routes: AbstractSet[str]


def cross_check(settings: Settings, names: Names, origins: Origins) -> dict[Loc, Problem]:
    """Find references that lead nowhere, and settings that their provider cannot use, by location."""
    found: dict[Loc, _Complaint] = {}
    for name, provider in settings.providers.items():
        found |= {("providers", name, field): complaint for field, complaint in _provider(provider)}
    for name, route in settings.models.items():
        found |= {("models", name, *loc): complaint for loc, complaint in _route(name, route, names)}
    found |= dict(_bounds(settings))
    found |= dict(_admission(settings))
    return {
        loc: Problem(dotted(loc), complaint.value, complaint.expected, complaint.suggestion, origins.of(loc))
        for loc, complaint in found.items()
    }


@dataclass(frozen=True, slots=True)
class _Complaint:
    value: str
    expected: str
    suggestion: str


def _provider(provider: Provider) -> Iterator[tuple[str, _Complaint]]:
    for field in _WITHOUT.get(provider.kind, ()):
        if getattr(provider, field):
            yield field, _Complaint("(set)", f"no {field}: kind {provider.kind} needs none", "remove it")
    if provider.api_keys and provider.api_key:
        yield "api_keys", _Complaint("(set)", "either api_key or api_keys", "move the one key into the list")
    if provider.api_keys and "authorization" in provider.headers:
        yield (
            "headers",
            _Complaint("authorization is set", "no authorization besides api_keys", "remove one of the two"),
        )


def _route(name: str, route: Route, names: Names) -> Iterator[tuple[Loc, _Complaint]]:
    for index, target in enumerate(route.targets):
        if target.provider not in names.providers:
            yield ("targets", index, "provider"), _unknown_provider(target.provider, target.provider, names)
    for index, fallback in enumerate(route.fallbacks):
        complaint = _fallback(name, fallback, names)
        if complaint is not None:
            yield ("fallbacks", index), complaint
    complaint = _strategy(route.strategy)
    if complaint is not None:
        yield ("strategy",), complaint
    if route.strategy == "cost":
        yield from _prices(route)
    if route.hedge.enabled:
        yield from _hedge(route)


def _hedge(route: Route) -> Iterator[tuple[Loc, _Complaint]]:
    if len({(target.provider, target.model) for target in route.targets}) == 1:
        expected = "false, as this route has one target: a hedge needs another one, and fallbacks are for failures"
        yield ("hedge", "enabled"), _Complaint("true", expected, "add a target that is as good, or leave hedge out")
    if route.hedge.min_s > route.hedge.max_s:
        most = f"{route.hedge.max_s:g}"
        yield ("hedge", "min_s"), _Complaint(f"{route.hedge.min_s:g}", f"at most max_s, which is {most}", "lower it")


def _strategy(name: str) -> _Complaint | None:
    try:
        require_strategy(name)
    except StrategyError as error:
        if not error.unknown:
            return _Complaint(repr(name), f"a strategy that works: {error}", "repair or reinstall its package")
        known = strategy_names()
        suggestion = did_you_mean(name, known) or f"install the package that offers it (entry points of {GROUP})"
        return _Complaint(shown((), name), f"one of {', '.join(known)}", suggestion)
    return None


def _prices(route: Route) -> Iterator[tuple[Loc, _Complaint]]:
    for index, target in enumerate(route.targets):
        for field in ("input_usd_per_mtok", "output_usd_per_mtok"):
            if getattr(target, field) is None:
                suggestion = f"add {field} (0 for a model of your own), or choose another strategy"
                expected = "a price in US dollars per million tokens: strategy cost compares prices"
                yield ("targets", index, field), _Complaint(MISSING, expected, suggestion)


def _bounds(settings: Settings) -> Iterator[tuple[Loc, _Complaint]]:
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
                yield ("models", name, "targets", index, "max_in_flight"), _Complaint(str(most), expected, suggestion)


def _admission(settings: Settings) -> Iterator[tuple[Loc, _Complaint]]:
    if settings.admission.adaptive and settings.admission.max_in_flight is None:
        expected = "false, as admission.max_in_flight is null: an adaptive limit moves below that one"
        yield ("admission", "adaptive"), _Complaint("true", expected, "set admission.max_in_flight, or remove it")


def _fallback(name: str, fallback: str, names: Names) -> _Complaint | None:
    if fallback == name:
        return _Complaint(
            repr(fallback), "another route, or provider/model", "remove it: a route cannot replace itself"
        )
    if fallback in names.routes:
        return None
    provider, *model = re.split(r"[/:]", fallback, maxsplit=1)
    if not model or not model[0]:
        known = _listed(names.routes - {name})
        suggestion = did_you_mean(fallback, names.routes - {name}) or "add the route under models"
        return _Complaint(shown((), fallback), f"a route ({known}), or provider/model", suggestion)
    return None if provider in names.providers else _unknown_provider(fallback, provider, names)


def _unknown_provider(value: str, provider: str, names: Names) -> _Complaint:
    suggestion = did_you_mean(provider, names.providers) or "add it under providers"
    return _Complaint(shown((), value), f"a configured provider ({_listed(names.providers)})", suggestion)


def _listed(names: AbstractSet[str]) -> str:
    first = [shown_key(name) for name in sorted(names)[:_LISTED]]
    more = ", …" if len(names) > len(first) else ""
    return f"{', '.join(first)}{more}" or "none yet"
