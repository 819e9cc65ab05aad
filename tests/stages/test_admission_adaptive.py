"""How the limit of admission follows the answers."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import TARGET_FAILED, TIMEOUT_FIRST_TOKEN, Kind
from app.core.signals import AdmissionLimitChanged
from app.core.traffic.admission import Bounds
from tests.stages.admitting import House, under_way
from tests.support.calls import Line, Step, answers, fails, hangs, streams, text_of, word
from tests.support.virtual_time import VirtualClock


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_an_adaptive_limit_learns_from_answers(clock: VirtualClock, stream: bool) -> None:
    """Ever slower answers lower it, and the change is told with the next call."""
    seconds = [0.5] * 20 + [8.0] * 20

    def step(after_s: float) -> Step:
        return streams(Line(after_s, word("a"))) if stream else answers("a", after_s=after_s)

    house = House(clock, *[step(after_s) for after_s in seconds], answers())
    handler = house.handler(Bounds(20, 100, adaptive=True), wait_s=100.0)

    for _ in range(2):
        async with under_way(handler, *[house.call(stream=stream) for _ in range(20)]) as tasks:
            for task in tasks:
                await text_of(await task)
    await handler(house.call())

    limits = [signal.limit for signal in house.told if isinstance(signal, AdmissionLimitChanged)]
    assert limits[0] == 20
    assert limits[-1] == house.gate.limit < 15


@pytest.mark.parametrize(("total_s", "lower"), [(10.0, True), (300.0, False)], ids=["out of time", "client left"])
async def test_an_adaptive_limit_learns_from_timeouts(clock: VirtualClock, total_s: float, lower: bool) -> None:
    """A call that ran out of time took at least that long; a client that left says nothing about the speed."""
    house = House(clock, *[answers(after_s=0.5)] * 20, *[hangs()] * 20)
    handler = house.handler(Bounds(20, 0, adaptive=True))
    async with under_way(handler, *[house.call() for _ in range(20)]) as tasks:
        await asyncio.wait(tasks)

    async with under_way(handler, *[house.call(total_s=total_s) for _ in range(20)]) as tasks:
        await asyncio.wait(tasks, timeout=20.0)

    assert (house.gate.limit < 15) is lower
    assert house.gate.in_flight == 0


@pytest.mark.parametrize(("kind", "lower"), [(TIMEOUT_FIRST_TOKEN, True), (TARGET_FAILED, False)])
async def test_failures_by_themselves_say_nothing_about_speed(clock: VirtualClock, kind: Kind, lower: bool) -> None:
    """A target that says that it failed is not slow; one that timed out is."""
    house = House(clock, *[answers(after_s=0.5)] * 20, *[fails(kind, after_s=9.0)] * 20)
    handler = house.handler(Bounds(20, 0, adaptive=True))

    for _ in range(2):
        async with under_way(handler, *[house.call() for _ in range(20)]) as tasks:
            await asyncio.wait(tasks)

    assert (house.gate.limit < 15) is lower
