"""Strategies, measuring and fallback together, under traffic that lasts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping

import pytest

from app.core.call import Attempt, Call, Reply, Target
from app.core.errors import TARGET_FAILED, GatewayError
from app.core.pipeline import Handler, compose
from app.core.routing.balancing import STRATEGIES, Tools
from app.core.routing.router import Policy, Router
from app.core.routing.table import Route, RoutingTable
from app.core.traffic.memory import Traffic
from app.stages.fallback import Fallback
from app.stages.measure import Measure
from tests.support.calls import OTHER, TARGET, Step, a_call, answers, fails, hangs, text_of
from tests.support.routes import PROVIDERS, Surroundings, candidates
from tests.support.virtual_time import VirtualClock

CALLS_PER_S = 10


class World:
    """Two targets behind one route, each of which answers every call in its own way. `asked` counts the attempts."""

    def __init__(self, strategy: str, manners: Mapping[Target, Step]) -> None:
        clock, self.asked = VirtualClock(), Counter[Target]()
        self.traffic = Traffic()
        tools = Tools("fast", clock, Surroundings().chance, self.traffic)
        routing = RoutingTable({"fast": Route(tuple(manners))}, PROVIDERS)
        router = Router(routing, {"fast": Policy(STRATEGIES[strategy](tools), tuple(candidates(*manners)))})

        async def target(attempt: Attempt) -> Reply:
            self.asked[attempt.target] += 1
            return await manners[attempt.target](attempt.call)

        measured: Handler[Attempt] = compose([Measure(self.traffic.loads, clock, lambda _: None)], target)
        self._handler: Handler[Call] = Fallback(router, measured, {"server_error"}, lambda _: None)

    async def send(self, calls: int, *, patience_s: float = 60.0) -> int:
        """Send calls at a steady pace, from callers who wait so long; return how many got an answer."""

        async def caller(number: int) -> bool:
            await asyncio.sleep(number / CALLS_PER_S)
            try:
                async with asyncio.timeout(patience_s):
                    return bool(await text_of(await self._handler(a_call())))
            except (TimeoutError, GatewayError):
                return False

        return sum(await asyncio.gather(*[caller(number) for number in range(calls)]))

    def in_flight(self) -> int:
        """Return how many attempts are counted as under way."""
        return sum(self.traffic.loads.seen(target.name).in_flight for target in (TARGET, OTHER))


async def test_failing_fast_draws_no_traffic() -> None:
    """A target that fails at once is not taken for a fast one: it is asked now and then, and nobody suffers."""
    world = World("latency", {TARGET: fails(TARGET_FAILED), OTHER: answers(after_s=0.5)})

    answered = await world.send(300)

    assert answered == 300
    assert 1 <= world.asked[TARGET] <= 15
    assert world.in_flight() == 0


async def test_a_silent_target_is_found_out_by_callers_who_leave() -> None:
    """A target that never answers looks worse with every caller who gives up, although nothing ever failed."""
    world = World("latency", {TARGET: hangs(), OTHER: answers(after_s=0.5)})

    answered = await world.send(300, patience_s=5.0)

    assert answered >= 250
    assert world.in_flight() == 0


@pytest.mark.parametrize(("strategy", "least"), [("latency", 3.0), ("least_busy", 2.0)])
async def test_the_faster_target_does_more(strategy: str, least: float) -> None:
    """A target ten times as fast gets several times the work, and the slow one is not left idle."""
    world = World(strategy, {TARGET: answers(after_s=2.0), OTHER: answers(after_s=0.2)})

    answered = await world.send(300)

    assert answered == 300
    assert world.asked[OTHER] >= least * world.asked[TARGET]
    assert world.asked[TARGET] >= 1
    assert world.in_flight() == 0
