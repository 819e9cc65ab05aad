"""Reading streams: batches, ends, and what may follow `[DONE]`."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from app.core.errors import TARGET_UNAVAILABLE, TIMEOUT_IDLE, GatewayError
from tests.providers.scripted_reply import (
    DONE,
    FOREVER_S,
    HELLO,
    STOP,
    ScriptedReply,
    drained,
    events,
    failure_of,
    guard,
    now,
    on_virtual_time,
)


@on_virtual_time
async def test_yields_the_events_of_one_read_together() -> None:
    """What came with one read goes out as one batch, and a read without a whole event as none."""
    reply = ScriptedReply(HELLO + HELLO, HELLO[:9], HELLO[9:], STOP + DONE)

    batches = [[event.frame for event in batch] async for batch in events(reply)]

    assert batches == [[HELLO, HELLO], [HELLO], [STOP, DONE]]
    assert reply.log[-2:] == ["end", "left"]


@on_virtual_time
async def test_a_stream_that_ends_early_has_failed() -> None:
    """The end of the body before the end of the answer is the provider's failure."""
    reading = events(ScriptedReply(HELLO, STOP))

    error = await failure_of(drained(reading))

    assert error.kind is TARGET_UNAVAILABLE


@on_virtual_time
async def test_another_task_may_read_on() -> None:
    """Silence ends the wait of whoever reads at that moment, although the task that began is over."""
    reading = events(ScriptedReply(HELLO, 3.0, HELLO, FOREVER_S), guard(idle_s=10.0))
    await asyncio.create_task(anext(reading))

    error = await failure_of(drained(reading))

    assert (error.kind, now()) == (TIMEOUT_IDLE, 13.0)


@on_virtual_time
async def test_a_silent_stream_is_given_up() -> None:
    """The guard watches streams as it watches bodies, pauses of the reader left aside."""
    got = 0

    async def read() -> None:
        nonlocal got
        async with aclosing(events(ScriptedReply(HELLO, 9.0, HELLO, FOREVER_S), guard(idle_s=10.0))) as reading:
            async for _batch in reading:
                got += 1
                await asyncio.sleep(50.0)

    error = await failure_of(read())

    assert (error.kind, got, now()) == (TIMEOUT_IDLE, 2, 119.0)


@on_virtual_time
async def test_a_stream_left_early_leaves_nothing_behind() -> None:
    """Closing the reading in the middle stops the guard: the task lives on undisturbed."""
    reading = events(ScriptedReply(HELLO, FOREVER_S), guard(idle_s=10.0, total_s=20.0))
    await anext(reading)

    await reading.aclose()
    await asyncio.sleep(100.0)

    assert now() == 100.0


@pytest.mark.parametrize(
    ("behind", "waited"),
    [
        ((), 0.0),
        ((b"\n",), 0.0),
        ((b"more", b"more", FOREVER_S), 0.0),
        ((0.0625,), 0.0625),
        ((FOREVER_S,), 0.1),
        ((GatewayError(TARGET_UNAVAILABLE, "broken"),), 0.0),
    ],
)
@on_virtual_time
async def test_what_follows_done_cannot_spoil_the_answer(
    behind: tuple[bytes | float | GatewayError, ...], waited: float
) -> None:
    """The end of the body is waited for briefly; whatever comes instead, the answer stands."""
    reply = ScriptedReply(HELLO + STOP + DONE, *behind)

    batches = [batch async for batch in events(reply)]

    assert [event.frame for event in batches[0]] == [HELLO, STOP, DONE]
    assert len(batches) == 1
    assert now() == pytest.approx(waited)


@on_virtual_time
async def test_a_client_may_leave_at_the_very_end() -> None:
    """Cancellation while the end of the body is awaited is still a cancellation."""
    reading = asyncio.create_task(drained(events(ScriptedReply(STOP + DONE, FOREVER_S))))
    await asyncio.sleep(0.05)

    reading.cancel()
    await asyncio.wait([reading])

    assert reading.cancelled()
