"""What a time limit needs; how it bounds calls is proven with the stages that use it."""

from __future__ import annotations

import asyncio

import pytest

from app.core.time_limit import FairLimit, TimeLimit


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
