"""The loop that the other tests run on."""

from __future__ import annotations

import asyncio

import pytest

from tests.support.virtual_time import EPOCH_S, START_S, StalledError, VirtualClock, VirtualTimeLoop


async def test_a_pause_takes_exactly_its_length(clock: VirtualClock) -> None:
    """However long the pause, the clock has moved by it afterwards."""
    begun = clock.now()

    await clock.sleep(0.1)
    await clock.sleep(200_000.0)

    assert begun == START_S
    assert clock.now() == pytest.approx(begun + 200_000.1, abs=1e-6)
    assert clock.wall() == pytest.approx(EPOCH_S + 200_000.1, abs=1e-6)
    assert clock.slept == [0.1, 200_000.0]


async def test_timers_fire_in_the_order_of_their_times(clock: VirtualClock) -> None:
    """Tasks that sleep side by side wake in the order of their pauses, each at its own time."""
    begun, woken = clock.now(), []

    async def wake(after_s: float) -> None:
        await clock.sleep(after_s)
        woken.append((after_s, clock.now() - begun))

    async with asyncio.TaskGroup() as tasks:
        for after_s in (3.0, 1.0, 2.0):
            tasks.create_task(wake(after_s))

    assert woken == [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0)]


async def test_asyncio_timeouts_are_on_virtual_time(clock: VirtualClock) -> None:
    """`asyncio.timeout` ends a wait at its own limit."""
    begun = clock.now()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(30.0):
            await asyncio.Event().wait()

    assert clock.now() - begun == 30.0


def test_a_wait_without_an_end_fails() -> None:
    """When nothing can wake any task, the loop says so instead of hanging."""

    async def wait_for_ever() -> None:
        await asyncio.Event().wait()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner, pytest.raises(StalledError):
        runner.run(wait_for_ever())
