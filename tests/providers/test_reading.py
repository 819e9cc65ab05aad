"""Reading answers: how long to wait for a provider, how much to take of it, and who may end the reading."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack

import pytest

from app.core.errors import BAD_UPSTREAM_REPLY, TARGET_UNAVAILABLE, TIMEOUT_IDLE, TIMEOUT_TOTAL, GatewayError
from app.providers.reading import read_whole
from tests.providers.scripted_reply import FOREVER_S, ScriptedReply, failure_of, guard, now, on_virtual_time
from tests.support.virtual_time import START_S, VirtualTimeLoop

Ts = TypeVarTuple("Ts")


class CountingLoop(VirtualTimeLoop):
    """A loop that counts the timers it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = 0

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Count, and do what a loop does."""
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)


@on_virtual_time
async def test_silence_ends_the_reading() -> None:
    """A provider that sends nothing for `idle_s` after its last bytes is given up, exactly then."""
    reply = ScriptedReply(9.0, b"a", 9.5, b"b", FOREVER_S, b"c")

    error = await failure_of(read_whole(reply, guard(idle_s=10.0), 100))

    assert (error.kind, now(), reply.log) == (TIMEOUT_IDLE, 28.5, [b"a", b"b", "left"])


@on_virtual_time
async def test_what_is_there_is_not_waited_for() -> None:
    """An answer that came with its head is neither read nor watched, but bounded all the same."""
    reply = ScriptedReply(there=b"abc")

    body = await read_whole(reply, guard(), 3)
    error = await failure_of(read_whole(reply, guard(), 2))

    assert (body, error.kind, reply.log) == (b"abc", BAD_UPSTREAM_REPLY, [])


@on_virtual_time
async def test_the_deadline_ends_the_reading() -> None:
    """A provider that is never silent for long is still given up when the call's time is over."""
    reply = ScriptedReply(*(item for _ in range(1000) for item in (1.0, b"a")))

    error = await failure_of(read_whole(reply, guard(idle_s=10.0, total_s=25.5), 2000))

    assert (error.kind, now(), reply.log.count(b"a")) == (TIMEOUT_TOTAL, 25.5, 25)


@on_virtual_time
async def test_the_earlier_of_both_limits_counts() -> None:
    """An idle limit that would end behind the deadline gives way to it."""
    error = await failure_of(read_whole(ScriptedReply(FOREVER_S), guard(idle_s=50.0, total_s=20.0), 100))

    assert (error.kind, now()) == (TIMEOUT_TOTAL, 20.0)


@on_virtual_time
async def test_nothing_is_read_behind_the_deadline() -> None:
    """A call whose time is over fails also when the provider has bytes ready, as a slow client's may have."""
    chunks = ScriptedReply(b"a", b"b").chunks()

    with guard(total_s=20.0) as watch:
        await watch.next(chunks)
        await asyncio.sleep(30.0)
        error = await failure_of(watch.next(chunks))

    assert error.kind is TIMEOUT_TOTAL


@on_virtual_time
async def test_a_deadline_in_the_past_lets_nothing_wait() -> None:
    """A reading that begins too late fails at once."""
    error = await failure_of(read_whole(ScriptedReply(1.0, b"a"), guard(total_s=-5.0), 100))

    assert (error.kind, now()) == (TIMEOUT_TOTAL, 0.0)


@on_virtual_time
async def test_a_slow_reader_is_not_silence() -> None:
    """Time in which nobody reads is not held against the provider."""
    chunks = ScriptedReply(*(item for _ in range(5) for item in (9.0, b"a"))).chunks()
    got = []

    with guard(idle_s=10.0) as watch:
        while (data := await watch.next(chunks)) is not None:
            got.append(data)
            await asyncio.sleep(50.0)

    assert got == [b"a"] * 5


def test_a_slow_reader_costs_nothing() -> None:
    """While nobody reads, also behind the deadline, the guard looks up rarely."""

    async def stall() -> None:
        with guard(idle_s=10.0, total_s=20.0):
            await asyncio.sleep(100.0)

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        runner.run(stall())
        loop = runner.get_loop()

    assert isinstance(loop, CountingLoop)
    assert loop.timers < 20


@on_virtual_time
async def test_a_leaving_client_is_no_timeout() -> None:
    """A task that is cancelled from outside while it reads sees exactly that."""
    reading = asyncio.create_task(read_whole(ScriptedReply(FOREVER_S), guard(), 100))
    await asyncio.sleep(5.0)

    reading.cancel()
    await asyncio.wait([reading])

    assert reading.cancelled()
    assert now() == 5.0


@pytest.mark.parametrize("at", [9.999, 10.0, 10.001])
@on_virtual_time
async def test_cancellation_wins_against_the_guard(at: float) -> None:
    """A client that leaves just when the time runs out never finds its task going on as if nothing had happened."""
    reading = asyncio.create_task(read_whole(ScriptedReply(FOREVER_S), guard(idle_s=10.0), 100))
    asyncio.get_running_loop().call_at(START_S + at, reading.cancel)

    await asyncio.wait([reading])

    assert reading.cancelled() or isinstance(reading.exception(), GatewayError)
    assert reading.cancelled() or at >= 10.0


@on_virtual_time
async def test_an_outer_timeout_stays_its_own() -> None:
    """A shorter limit around the reading ends in its own exception, not in the guard's."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(5.0):
            await read_whole(ScriptedReply(FOREVER_S), guard(idle_s=10.0), 100)

    assert now() == 5.0


@on_virtual_time
async def test_the_guard_leaves_no_trace_in_the_task() -> None:
    """After a time-out the task is an ordinary task: not cancelled, and limits around it still hold."""
    task = asyncio.current_task()
    assert task is not None

    async with asyncio.timeout(100.0):
        error = await failure_of(read_whole(ScriptedReply(FOREVER_S), guard(idle_s=10.0), 100))
        await asyncio.sleep(50.0)

    assert (error.kind, task.cancelling(), now()) == (TIMEOUT_IDLE, 0, 60.0)


@on_virtual_time
async def test_the_guard_ends_with_its_block() -> None:
    """Nothing is cancelled once the reading is over."""
    body = await read_whole(ScriptedReply(b"a"), guard(idle_s=10.0, total_s=20.0), 100)

    await asyncio.sleep(100.0)

    assert (body, now()) == (b"a", 100.0)


@on_virtual_time
async def test_a_broken_connection_is_passed_on() -> None:
    """What the connection raises arrives as it is."""
    broken = GatewayError(TARGET_UNAVAILABLE, "broken")

    assert await failure_of(read_whole(ScriptedReply(b"a", broken), guard(), 100)) is broken


@pytest.mark.parametrize(
    ("parts", "body"), [((), b""), ((b"abc",), b"abc"), ((b"ab", b"", b"c"), b"abc"), ((b"0123456789",), b"0123456789")]
)
@on_virtual_time
async def test_reads_a_body_up_to_the_bound(parts: tuple[bytes, ...], body: bytes) -> None:
    """The parts of a body are joined, and the bound itself is allowed."""
    assert await read_whole(ScriptedReply(*parts), guard(), 10) == body


@on_virtual_time
async def test_refuses_a_body_beyond_the_bound() -> None:
    """A body is given up with the part that outgrows the bound, not read to its end."""
    reply = ScriptedReply(b"12345", b"67890", b"1", b"2", b"3")

    error = await failure_of(read_whole(reply, guard(), 10))

    assert (error.kind, reply.log[:3], b"2" in reply.log) == (BAD_UPSTREAM_REPLY, [b"12345", b"67890", b"1"], False)
