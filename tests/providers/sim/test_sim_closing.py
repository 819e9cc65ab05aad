"""How a script ends when whoever asked for it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.providers.sim import SimUpstream
from tests.providers.sim.asking import StoppedClock, asking, streamed, whole


async def sent(sim: SimUpstream) -> None:
    """Wait for a head."""
    await sim.send(asking("echo?hang=1"))


async def read(sim: SimUpstream) -> None:
    """Wait for the second word of an answer."""
    await whole(sim, asking("echo?stall_after=1", stream=True))


@pytest.mark.parametrize("act", [sent, read])
async def test_cancelling_stops_the_script_at_once(act: Callable[[SimUpstream], Awaitable[None]]) -> None:
    """A call that is cancelled before its head or in mid-answer is no longer open, and counted as left early."""
    sim = SimUpstream(StoppedClock(), lambda: 0.5)
    task = asyncio.ensure_future(act(sim))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    open_before = sim.open_replies

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert 1 == open_before
    assert (0, 1) == (sim.open_replies, sim.left_early)


async def test_closing_in_mid_answer_counts_once(sim: SimUpstream) -> None:
    """A reply closed between two words is over, however often it is closed."""
    reply = await sim.send(asking("echo?tokens_per_s=10", stream=True))
    chunks = reply.chunks()
    await anext(chunks)
    open_before = sim.open_replies

    await reply.aclose()
    await reply.aclose()

    assert 1 == open_before
    assert (0, 1) == (sim.open_replies, sim.left_early)
    assert [] == [data async for data in chunks]


async def test_reply_read_to_its_end_was_not_left_early(sim: SimUpstream) -> None:
    """Closing after the last byte is what a good client does."""
    await streamed(sim, "echo")

    assert (0, 0) == (sim.open_replies, sim.left_early)
