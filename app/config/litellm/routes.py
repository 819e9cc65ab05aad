"""Convert deployments to providers and routes, and to the limits and prices of single targets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from app.config.litellm.deployments import SHARES, Deployment
from app.config.litellm.fallbacks import Fallbacks
from app.config.litellm.upstream import Upstream
from app.config.trees import Tree

_LEAST_WEIGHT: Final = 0.001
_WINDOW_S: Final = 60


class Providers:
    """
    The distinct providers of all deployments, named by their kind and, from the second on, a number.

    OpenAI-compatible servers other than OpenAI are called `server`.
    """

    def __init__(self, deployed: Sequence[Deployment]) -> None:
        self.names: dict[Upstream, str] = {}
        counts: Counter[str] = Counter()
        for upstream in dict.fromkeys(each.upstream for each in deployed):
            name = "server" if upstream.kind == "openai" and upstream.base_url else upstream.kind
            counts[name] += 1
            self.names[upstream] = name if counts[name] == 1 else f"{name}-{counts[name]}"

    def name(self, each: Deployment) -> str:
        """Return the name of a deployment's target, `provider/model`."""
        return f"{self.names[each.upstream]}/{each.model}"

    def settings(self) -> Tree:
        """Return the section `providers`."""
        return {name: upstream.settings() for upstream, name in self.names.items()}


@dataclass(frozen=True, slots=True)
class Routing:
    """The settings that all routes share: strategy, concurrency limit, fallbacks and aliases."""

    strategy: str
    max_in_flight: int | None
    fallbacks: Fallbacks
    aliases: Mapping[str, str]


class Routes:
    """The routes: one per model name, and one more for each rank (`order`) after the first."""

    def __init__(self, providers: Providers, routing: Routing) -> None:
        self._providers = providers
        self._routing = routing

    def settings(self, deployed: Sequence[Deployment]) -> Tree:
        """Return the section `models`."""
        groups: dict[str, list[Deployment]] = {}
        for each in deployed:
            groups.setdefault(each.group, []).append(each)
        aliases = {alias: name for alias, name in self._routing.aliases.items() if name in groups}
        known = {*groups, *aliases}
        result: Tree = {}
        for name, group in groups.items():
            result |= self._ranked(name, group, self._routing.fallbacks.of(name, known, self._providers.names.values()))
        return result | {alias: result[name] for alias, name in aliases.items()}

    def _ranked(self, name: str, group: Sequence[Deployment], fallbacks: Sequence[str]) -> Tree:
        """Return a route for each rank; its first fallback is the route of the next rank."""
        ordered = sorted(group, key=_order)
        ranks = [list(rank) for _, rank in groupby(ordered, key=_order)]
        if all(len(rank) == 1 for rank in ranks):
            return {name: self._route(ordered, "sequential", fallbacks)}
        names = [name, *(f"{name}.rank-{place}" for place in range(2, len(ranks) + 1))]
        return {
            names[place]: self._route(rank, self._routing.strategy, [*names[place + 1 : place + 2], *fallbacks])
            for place, rank in enumerate(ranks)
        }

    def _route(self, rank: Sequence[Deployment], strategy: str, fallbacks: Sequence[str]) -> Tree:
        shares = self._shares(rank) if strategy == "weighted" else [None] * len(rank)
        targets: dict[str, Tree] = {}
        for each, share in zip(rank, shares, strict=True):
            target = targets.setdefault(self._providers.name(each), self._target(each))
            if share is not None:
                target["weight"] = float(str(target.get("weight", 0))) + share
        route: Tree = {"targets": list(targets.values())}
        if len(targets) > 1 and strategy != "sequential":
            route["strategy"] = strategy
        if fallbacks:
            route["fallbacks"] = list(fallbacks)
        return route

    def _target(self, each: Deployment) -> Tree:
        target: Tree = {"provider": self._providers.names[each.upstream], "model": each.model}
        if each.facts.context_window is not None:
            target["context_window"] = each.facts.context_window
        most = each.facts.max_in_flight or self._routing.max_in_flight
        return target if most is None else {**target, "max_in_flight": most}

    def _shares(self, rank: Sequence[Deployment]) -> Sequence[float | None]:
        for share in SHARES:
            weights = [each.facts.shares.get(share) for each in rank]
            if len(rank) > 1 and any(weights):
                return [value or _LEAST_WEIGHT for value in weights]
        return [None] * len(rank)


def limits(deployed: Sequence[Deployment], providers: Providers) -> list[Tree]:
    """Return the rate limits (`rpm`, `tpm`) of deployments, once per target."""
    result: dict[str, Tree] = {}
    for each in deployed:
        target = providers.name(each)
        for share, counted in (("rpm", "requests"), ("tpm", "tokens")):
            amount = int(each.facts.shares.get(share, 0))
            if amount:
                name = _free(f"{re.sub(r'[^A-Za-z0-9_.-]+', '-', target)}-{share}".lstrip("-_."), target, result)
                result[name] = {
                    "name": name,
                    "per": "model",
                    "models": [target],
                    counted: amount,
                    "window_s": _WINDOW_S,
                }
    return list(result.values())


def prices(deployed: Sequence[Deployment], providers: Providers) -> Tree:
    """Return the prices that deployments define."""
    return {providers.name(each): dict(each.facts.prices) for each in deployed if each.facts.prices}


def _order(each: Deployment) -> int:
    return each.facts.order


def _free(name: str, target: str, taken: Mapping[str, Tree]) -> str:
    """Return a name that is not used for the limit of another target."""
    candidates = (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in candidates if each not in taken or taken[each]["models"] == [target])
