"""
Which models there are: routes, providers, and how a name given by a client becomes targets.

A name is looked up as a route first, then as `provider/model`, then as `provider:model`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping

import msgspec

from app.core.call import Target
from app.core.errors import UNKNOWN_MODEL, GatewayError

_NEAR_MAX = 3
_SHOWN_MAX_CHARS = 100


class Route(msgspec.Struct, frozen=True):
    """A named model: its own targets, then the names it falls back to (routes or `provider/model`), in order."""

    targets: tuple[Target, ...]
    fallbacks: tuple[str, ...] = ()


class Group(msgspec.Struct, frozen=True):
    """Targets that stand on one step: those of a route, or the one behind a direct name (`route` is then None)."""

    route: str | None
    targets: tuple[Target, ...]


class Listed(msgspec.Struct, frozen=True):
    """A model as `GET /v1/models` shows it; `owner` is the provider, or `wizard` for a route."""

    id: str
    owner: str


class Catalog:
    """
    The routes and providers of one configuration.

    Args:
        routes: Route name to route. Fallbacks may name each other in circles; a target is never tried twice.

        models: Provider name to the models known to be there; any other model of a known provider may be asked
            for too, since only the provider knows.
    """

    def __init__(self, routes: Mapping[str, Route], models: Mapping[str, tuple[str, ...]]) -> None:
        self._models = models
        self._routes = routes
        self._groups = {name: tuple(self._walk(name, set())) for name in routes}
        self._listed: dict[str, Listed] = {}
        for listed in self._list():
            self._listed.setdefault(listed.id, listed)

    @property
    def providers(self) -> tuple[str, ...]:
        """Return the names of the providers."""
        return tuple(self._models)

    def groups(self, name: str) -> tuple[Group, ...]:
        """
        Return the targets of the model `name` step by step: its own, then those of each fallback; each target once.

        Raises:
            GatewayError: UNKNOWN_MODEL, naming models that are spelled much alike.
        """
        found = self._groups.get(name)
        return (Group(None, (self._direct(name) or self._unknown(name),)),) if found is None else found

    def targets(self, name: str, *, fallback: bool = True) -> tuple[Target, ...]:
        """
        Return the targets of the model `name` in the order in which they are configured.

        Raises:
            GatewayError: UNKNOWN_MODEL.
        """
        found = tuple([target for group in self.groups(name) for target in group.targets])
        return found if fallback else found[:1]

    def listed(self) -> list[Listed]:
        """Return every model that can be named without asking a provider: routes first."""
        return list(self._listed.values())

    def find(self, name: str) -> Listed:
        """
        Return the model `name`, whether it is listed or only addressable.

        Raises:
            GatewayError: UNKNOWN_MODEL.
        """
        listed = self._listed.get(name)
        if listed is not None:
            return listed
        target = self._direct(name) or self._unknown(name)
        return Listed(target.name, target.provider)

    def target(self, name: str) -> Target:
        """
        Return the target called `provider/model`.

        Raises:
            GatewayError: UNKNOWN_MODEL, also for the name of a route.
        """
        return self._direct(name) or self._unknown(name)

    def _walk(self, name: str, seen: set[str]) -> Iterator[Group]:
        """Yield a route's targets and then its fallbacks', each name and each target once."""
        seen.add(name)
        route = self._routes.get(name)
        direct = None if route else self._direct(name)
        targets = []
        for target in route.targets if route else (direct,) if direct else ():
            mark = f"\0{target.name}"  # cannot be a name, so targets and names share one set
            if mark not in seen:
                seen.add(mark)
                targets.append(target)
        if targets:
            yield Group(name if route else None, tuple(targets))
        for fallback in route.fallbacks if route else ():
            if fallback not in seen:
                yield from self._walk(fallback, seen)

    def _direct(self, name: str) -> Target | None:
        for mark in ("/", ":"):
            provider, found, model = name.partition(mark)
            if found and model and provider in self._models:
                return Target(provider, model)
        return None

    def _list(self) -> Iterator[Listed]:
        for name in self._routes:
            yield Listed(name, "wizard")
        for provider, models in self._models.items():
            for model in models:
                yield Listed(f"{provider}/{model}", provider)

    def _unknown(self, name: str) -> Target:
        shown = name if len(name) <= _SHOWN_MAX_CHARS else f"{name[:_SHOWN_MAX_CHARS]}..."
        near = self._near(name) if shown == name else []  # nobody mistypes so much, and comparing it would take long
        hint = f"Did you mean {' or '.join(repr(known) for known in near)}? " if near else ""
        message, suggestion = f"There is no model {shown!r} here.", hint + UNKNOWN_MODEL.suggestion
        raise GatewayError(UNKNOWN_MODEL, message, param="model", suggestion=suggestion)

    def _near(self, name: str) -> list[str]:
        """Return the models that may be meant: those that only lack their provider, then those spelled much alike."""
        found = [known for known in self._listed if known.endswith(f"/{name}")]
        found += [known for known in difflib.get_close_matches(name, self._listed, n=_NEAR_MAX) if known not in found]
        return found[:_NEAR_MAX]
