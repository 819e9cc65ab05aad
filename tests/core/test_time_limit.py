"""What a time limit needs; how it bounds calls is proven with the stages that use it."""

from __future__ import annotations

import asyncio

import pytest

from app.core.time_limit import FairLimit, TimeLimit
from tests.support.virtual_time import VirtualTimeLoop


async def test_a_time_limit_needs_a_task() -> None:
    """Outside of a task there is nothing to cancel, and that is said at once."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[str] = loop.create_future()

    def enter() -> None:
        try:
            with TimeLimit(0.0):
                said.set_result("entered")
        except RuntimeError as error:
            said.set_result(str(error))

    loop.call_soon(enter)

    assert await said == "a time limit needs a task to cancel"


@pytest.mark.parametrize("ahead_s", [0.01, -1.0])
async def test_a_fair_limit_strikes_like_any_other(ahead_s: float) -> None:
    """On time, or a moment later if the process itself is late."""
    with pytest.raises(TimeoutError), FairLimit(asyncio.get_running_loop().time() + ahead_s):
        await asyncio.sleep(60)


async def test_a_fair_limit_forgives_a_stall() -> None:
    """What only has to be picked up when the time is up is not cancelled."""
    with FairLimit(asyncio.get_running_loop().time() - 1.0) as limit:
        await asyncio.sleep(0)

    assert not limit.expired


async def test_a_fair_limit_forgives_a_loop_that_is_late_all_the_time() -> None:
    """What takes a few rounds of the loop is done, although each of them is longer than the limit."""
    with FairLimit(within_s=0.005) as limit:
        await stalled(rounds=4)

    assert not limit.expired


async def test_a_fair_limit_looks_once_more_for_what_has_arrived() -> None:
    """An answer that comes in the very round in which the time is up is taken."""
    loop = asyncio.get_running_loop()
    answer, when = loop.create_future(), loop.time() + 0.005
    loop.call_at(when, answer.set_result, "there")

    with FairLimit(when):
        found = await answer

    assert found == "there"


async def test_a_fair_limit_has_an_end() -> None:
    """A loop that is never in time does not wait for ever."""
    with pytest.raises(TimeoutError), FairLimit(within_s=0.005):
        await stalled(rounds=10)


async def stalled(rounds: int) -> None:
    """Take some rounds of the loop, each of 20 ms."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualTimeLoop)
    for _ in range(rounds):
        loop.stall(0.02)
        await asyncio.sleep(0)
