"""Admission under a storm of calls of every sort, of which only the rules can be foreseen."""

from __future__ import annotations

import asyncio
import random

import pytest

from app.core.call import Call, Reply
from app.core.errors import OVERLOADED, TARGET_FAILED, TIMEOUT_TOTAL, GatewayError
from app.core.pipeline import compose
from app.core.traffic.admission import Bounds, Priority
from app.stages.admission import Admission, AdmissionOptions
from app.stages.timeouts import TotalTimeout
from tests.stages.admitting import House
from tests.support.calls import Line, answers, fails, streams, text_of, word
from tests.support.virtual_time import VirtualClock

LIMIT, QUEUE_MAX, WAIT_S, CALLS = 3, 6, 2.0, 300


class Storm:
    """Notes for each call when it came and when it was let in, and the most that ran at once."""

    def __init__(self, house: House, seed: int, *, adaptive: bool) -> None:
        self.house = house
        self.chance = random.Random(seed)  # noqa: S311 - no secret is drawn
        self.running = self.most = 0
        self.waits: list[tuple[float, float]] = []  # seconds waited, seconds left
        options = AdmissionOptions(Bounds(LIMIT, QUEUE_MAX, adaptive), WAIT_S)
        stage = Admission(options, house.gate, house.clock, self.chance.random, house.told.append)
        self.handler = compose([TotalTimeout(), stage], self._work)

    async def visit(self, number: int) -> str:
        """Make one call after a while, read its answer, and return what became of it."""
        await asyncio.sleep(self.chance.uniform(0.0, 60.0))
        priority, stream = self.chance.choice(list(Priority)), self.chance.random() < 0.5
        call = self.house.call(priority, number % 7, total_s=self.chance.choice([0.04, 1.0, 9.0]), stream=stream)
        try:
            async with asyncio.timeout(self.chance.choice([0.3, 20.0])):
                return await text_of(await self.handler(call))
        except TimeoutError:
            return "left"
        except GatewayError as error:
            return error.kind.code

    async def _work(self, call: Call) -> Reply:
        now = self.house.clock.now()
        self.waits.append((now - call.started, call.deadline - now))
        self.most = max(self.most, self.house.gate.in_flight)
        seconds = self.chance.uniform(0.1, 1.5)
        if self.chance.random() < 0.1:
            return await fails(TARGET_FAILED, after_s=seconds)(call)
        if call.request.stream:
            return await streams(Line(seconds, word("ok"), seconds))(call)
        return await answers("ok", after_s=seconds)(call)


@pytest.mark.parametrize("adaptive", [False, True], ids=["fixed", "adaptive"])
@pytest.mark.parametrize("seed", range(3))
async def test_the_rules_hold_in_a_storm(clock: VirtualClock, seed: int, adaptive: bool) -> None:
    """Never more than the limit inside, nobody waits too long or past its deadline, and every place comes back."""
    house = House(clock)
    storm = Storm(house, seed, adaptive=adaptive)

    ended = await asyncio.gather(*[storm.visit(number) for number in range(CALLS)])

    assert storm.most == LIMIT
    assert max(waited for waited, _ in storm.waits) <= WAIT_S
    assert max(waited for waited, _ in storm.waits) > 0
    assert min(left for waited, left in storm.waits if waited > 0) > 0
    assert (house.gate.in_flight, house.gate.waiting) == (0, 0)
    assert {"ok", "left", OVERLOADED.code, TARGET_FAILED.code} <= set(ended)
    assert set(ended) <= {"ok", "left", OVERLOADED.code, TARGET_FAILED.code, TIMEOUT_TOTAL.code}
