"""Strategies, routers and their surroundings for tests: seeded chance, a clock that is told the time, made-up loads."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

from app.core.call import Call, CallOptions, Target
from app.core.routing.balancing import STRATEGIES, Strategy, Tools
from app.core.routing.candidates import Candidate
from app.core.routing.router import Policy, Router
from app.core.routing.table import Route, RoutingTable
from app.core.traffic.memory import Traffic
from tests.support.calls import a_call, asking

START_S = 5_000.0
PROVIDERS = {"acme": (), "box": (), "cloud": (), "dune": ()}


class SetClock:
    """A clock that shows `time` and does not wait."""

    def __init__(self) -> None:
        self.time = START_S

    def now(self) -> float:
        """Return what it was set to."""
        return self.time

    def wall(self) -> float:
        """Return the same."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let the time pass at once."""
        self.time += seconds


class Surroundings:
    """What strategies are made from, with chance that is the same in every run."""

    def __init__(self, seed: int = 1) -> None:
        self.clock = SetClock()
        self.traffic = Traffic()
        self.chance = random.Random(seed).random  # noqa: S311 - no secret is drawn

    def tools(self, route: str) -> Tools:
        """Return what a strategy of this route is made from."""
        return Tools(route, self.clock, self.chance, self.traffic)

    def strategy(self, name: str, route: str = "fast") -> Strategy:
        """Make one of the gateway's own strategies."""
        return STRATEGIES[name](self.tools(route))

    def router(self, routes: Mapping[str, tuple[str, Sequence[Candidate], Sequence[str]]]) -> Router:
        """Make a router for routes given as strategy, candidates and fallbacks."""
        routing = RoutingTable(
            {
                name: Route(tuple([candidate.target for candidate in candidates]), tuple(fallbacks))
                for name, (_, candidates, fallbacks) in routes.items()
            },
            PROVIDERS,
        )
        policies = {
            name: Policy(self.strategy(strategy, name), tuple(candidates))
            for name, (strategy, candidates, _) in routes.items()
        }
        return Router(routing, policies)


def candidates(*targets: Target) -> list[Candidate]:
    """Return candidates of which nothing but the target is configured."""
    return [Candidate(target) for target in targets]


def calling(model: str = "fast", *, fallback: bool = True, **fields: Any) -> Call:  # noqa: ANN401 - JSON
    """Return a call for a model."""
    return a_call(asking(model=model, **fields), options=CallOptions(fallback=fallback))


def routed(router: Router, call: Call) -> list[Target]:
    """Return all targets of a call, in order."""
    targets = router(call)
    return [targets[position] for position in range(len(targets))]
