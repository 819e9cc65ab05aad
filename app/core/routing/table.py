"""
The routing table: resolve the model names of clients to targets.

A name is looked up as a route, then as a route with a star, then as `provider/model`, then as `provider:model`, and
last as the route `*`.
"""

from __future__ import annotations

import difflib
from collections.abc import Container, Iterator, Mapping
from types import MappingProxyType

import msgspec

from app.core.call import Target
from app.core.errors import UNKNOWN_MODEL, GatewayError
from app.core.routing.wildcards import STAR, Matched, Wildcards, filled

NOTHING_DISCOVERED: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NEAR_MAX = 3
_SHOWN_MAX_CHARS = 100


def canonical(name: str, routes: Container[str], providers: Container[str]) -> str:
    """Return the canonical name of a model: that of a route, or `provider/model`; unknown names are unchanged."""
    target = None if name in routes else direct(name, providers)
    return name if target is None else target.name


def direct(name: str, providers: Container[str]) -> Target | None:
    """Return the target that `provider/model` or `provider:model` names."""
    for mark in ("/", ":"):
        provider, found, model = name.partition(mark)
        if found and model and provider in providers:
            return Target(provider, model)
    return None


class Route(msgspec.Struct, frozen=True):
    """A named model: its own targets, then the names it falls back to (routes or `provider/model`), in order."""

    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """
    The targets of one step: those of a route, or the one of a direct name (`route` is then None).

    `star` is the text that replaces the star in the names of the route and its targets.
    """

    route: str | None
    targets: tuple[Target, ...]
    star: str | None = None


class Listed(msgspec.Struct, frozen=True):
    """A model as `GET /v1/models` shows it; `owner` is the provider, or `wizard` for a route."""

    id: str
    owner: str


class RoutingTable:
    """
    The routes and providers of one configuration. Unknown names raise UNKNOWN_MODEL.

    Args:
        routes: Route name to route. Fallbacks may be circular; a target is never tried twice.

        models: Provider name to its configured models; any other model of a known provider may be requested too,
            since only the provider knows.

        discovered: Provider name to the models that it lists; may change while the configuration is in use.
    """

    def __init__(
        self,
        routes: Mapping[str, Route],
        models: Mapping[str, tuple[str, ...]],
        discovered: Mapping[str, tuple[str, ...]] = NOTHING_DISCOVERED,
    ) -> None:
        self._models = models
        self._routes = routes
        self._discovered = discovered
        self._wildcards = Wildcards(routes)
        self._groups = {name: tuple(self._walk(name, set())) for name in routes if STAR not in name}
        self._listed: dict[str, Listed] = {}
        for listed in self._list():
            self._listed.setdefault(listed.id, listed)

    @property
    def providers(self) -> tuple[str, ...]:
        """Return the names of the providers."""
        return tuple(self._models)

    def groups(self, name: str) -> tuple[Group, ...]:
        """Return the targets of the model `name` step by step: its own, then those of each fallback; each once."""
        found = self._groups.get(name)
        if found is not None:
            return found
        matched = self._matched(name)
        if matched is not None:
            return tuple(self._walk(matched.route, set(), matched.text))
        return (Group(None, (self._direct(name) or self._unknown(name),)),)

    def matched(self, name: str) -> bool:
        """Return whether `name` resolves to a route with a star."""
        return name not in self._groups and self._matched(name) is not None

    def targets(self, name: str, *, fallback: bool = True) -> tuple[Target, ...]:
        """Return the targets of the model `name`, in the configured order."""
        found = tuple([target for group in self.groups(name) for target in group.targets])
        return found if fallback else found[:1]

    def listed(self) -> list[Listed]:
        """Return all models known by name: routes, configured and discovered ones."""
        found = dict(self._listed)
        for provider, models in self._discovered.items():
            for model in models if provider in self._models else ():
                found.setdefault(f"{provider}/{model}", Listed(f"{provider}/{model}", provider))
        return list(found.values())

    def find(self, name: str) -> Listed:
        """Return the model `name`, whether it is listed or only addressable."""
        listed = self._listed.get(name)
        if listed is not None:
            return listed
        if self._matched(name) is not None:
            return Listed(name, "wizard")
        target = self._direct(name) or self._unknown(name)
        return Listed(target.name, target.provider)

    def canonical(self, name: str) -> str:
        """Return the name that allow-lists use for a model; an unknown name is returned unchanged."""
        return canonical(name, self._routes, self._models)

    def target(self, name: str) -> Target:
        """
        Return the target called `provider/model`.

        Raises:
            GatewayError: UNKNOWN_MODEL, also for the name of a route.
        """
        found = self._direct(name)
        if found is None and name in self._routes:
            targets = ", ".join(target.name for target in self._routes[name].targets)
            suggestion = f"Name one of its targets, as 'provider/model': {targets}."
            raise GatewayError(UNKNOWN_MODEL, f"{name!r} is a route.", param="model", suggestion=suggestion)
        return found or self._unknown(name)

    def _matched(self, name: str) -> Matched | None:
        """Return the route with a star that matches `name`; the route `*` matches only otherwise unknown names."""
        found = self._wildcards.match(name, bare=False)
        if found is not None or self._direct(name) is not None:
            return found
        return self._wildcards.match(name, bare=True)

    def _walk(self, name: str, seen: set[str], star: str | None = None) -> Iterator[Group]:
        """Yield a route's targets and then its fallbacks', each name and each target once."""
        seen.add(name)
        route = self._routes.get(name)
        direct = None if route else self._direct(name)
        targets = []
        for given in route.targets if route else (direct,) if direct else ():
            target = Target(given.provider, filled(given.model, star))
            mark = f"\0{target.name}"  # cannot be a name, so targets and names share one set
            if mark not in seen:
                seen.add(mark)
                targets.append(target)
        if targets:
            yield Group(name if route else None, tuple(targets), star if route else None)
        for named in route.fallbacks if route else ():
            fallback = filled(named, star)
            if fallback not in seen:
                yield from self._walk(fallback, seen)

    def _direct(self, name: str) -> Target | None:
        return direct(name, self._models)

    def _list(self) -> Iterator[Listed]:
        for name in self._groups:
            yield Listed(name, "wizard")
        for provider, models in self._models.items():
            for model in models:
                yield Listed(f"{provider}/{model}", provider)
        for route in self._routes.values():
            for target in (*route.targets, *map(self._direct, route.fallbacks)):
                if target is not None and STAR not in target.name:
                    yield Listed(target.name, target.provider)

    def _unknown(self, name: str) -> Target:
        shown = name if len(name) <= _SHOWN_MAX_CHARS else f"{name[:_SHOWN_MAX_CHARS]}..."
        near = self._near(name) if shown == name else []  # a name so long is no typo, and slow to compare
        hint = f"Did you mean {' or '.join(repr(known) for known in near)}? " if near else ""
        message, suggestion = f"There is no model {shown!r} here.", hint + UNKNOWN_MODEL.suggestion
        raise GatewayError(UNKNOWN_MODEL, message, param="model", suggestion=suggestion)

    def _near(self, name: str) -> list[str]:
        """Return suggestions: first models whose name after the provider is `name`, then similarly spelled ones."""
        found = [known for known in self._listed if known.endswith(f"/{name}")]
        found += [known for known in difflib.get_close_matches(name, self._listed, n=_NEAR_MAX) if known not in found]
        return found[:_NEAR_MAX]
