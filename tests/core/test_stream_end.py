"""The end of a stream: one release, one verdict for each finisher, whatever happens and whoever gets in the way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TypeAlias

import anyio
import pytest

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.model import StreamEvent
from app.core.outcome import FINISHER_LIMIT_S, End, Outcome
from app.core.stream import Batch, EventStream
from tests.support.calls import Line, Rule, Witness, role, text_in, word
from tests.support.virtual_time import VirtualClock

Leave: TypeAlias = Callable[[EventStream], Awaitable[None]]

ENDS_S = 0.25  # how long a finisher or a release that waits takes here


class SlowLine(Line):
    """A connection whose release takes time; `released` is logged when it is done."""

    async def release(self) -> None:
        """Give the connection back, slowly."""
        await asyncio.sleep(ENDS_S)
        await super().release()


async def read(stream: EventStream) -> str:
    """Read a stream to its end and return its text."""
    return text_in([event async for batch in stream for event in batch])


async def left(stream: EventStream) -> None:
    """Read one batch and close the stream."""
    await anext(aiter(stream))
    await stream.aclose()


async def left_at_once(stream: EventStream) -> None:
    """Close a stream that was asked for no event, although iteration had begun."""
    aiter(stream)
    await stream.aclose()


def ends(*witnesses: Witness) -> list[list[End]]:
    """Return how the stream ended according to each witness."""
    return [[outcome.end for outcome in witness.told] for witness in witnesses]


async def test_finishers_are_told_in_the_order_of_their_registration() -> None:
    """The connection is given back first, then the first registered finisher is told first."""
    line = Line(word())
    stream = line.stream()
    for name in ("first", "second"):
        stream.when_done(lambda _outcome, name=name: line.log.append(name))  # type: ignore[misc]

    await read(stream)

    assert line.log == ["sent", "ended", "released", "first", "second"]


async def test_observers_see_every_event_once_before_it_goes_out() -> None:
    """Each observer is told of held and later events, in order, and of none that was not asked for."""
    line, seen = Line(role(), word("a"), [word("b"), word("c")], word("d")), list[StreamEvent]()
    stream = line.stream()
    await stream.prime(Rule())
    stream.observe(seen.extend)
    running = aiter(stream)

    before = list(seen)
    for _ in range(3):
        await anext(running)
    await stream.aclose()

    assert before == []
    assert seen == [role(), word("a"), word("b"), word("c")]


async def test_an_observer_that_raises_ends_the_stream() -> None:
    """A bug in an observer is a failure like any other: released and settled once."""
    line, witness, bug = Line(word(), word()), Witness(), ValueError("bug")
    stream = line.stream()
    stream.when_done(witness)

    def observer(_batch: Batch) -> None:
        raise bug

    stream.observe(observer)
    with pytest.raises(ValueError, match="bug"):
        await read(stream)

    assert witness.told == [Outcome(End.FAILED, bug)]
    assert line.released == 1


@pytest.mark.parametrize("leave", [left, left_at_once, EventStream.aclose])
async def test_closing_twice_settles_once(leave: Leave) -> None:
    """However a stream is left, closing it again does nothing."""
    line, witness = Line(word(), word()), Witness()
    stream = line.stream()
    stream.when_done(witness)

    await leave(stream)
    await stream.aclose()

    assert ends(witness) == [[End.ABANDONED]]
    assert line.released == 1


async def test_closing_after_the_end_changes_nothing() -> None:
    """A stream that was read to its end, or failed, has its verdict; closing it adds none."""
    for script, end in (([word()], End.COMPLETED), ([word(), ValueError("bug")], End.FAILED)):
        line, witness = Line(*script), Witness()
        stream = line.stream()
        stream.when_done(witness)

        with suppress(ValueError):
            await read(stream)
        await stream.aclose()

        assert ends(witness) == [[end]]
        assert line.released == 1


async def test_a_stream_read_again_is_not_settled_again() -> None:
    """A stream is for one reading; a second one finds nothing, releases nothing and tells nobody."""
    line, witness = Line(word()), Witness()
    stream = line.stream()
    stream.when_done(witness)
    await read(stream)

    again = await read(stream)

    assert again == ""
    assert ends(witness) == [[End.COMPLETED]]
    assert line.released == 1


async def test_a_reading_that_was_interrupted_goes_on_where_it_stopped() -> None:
    """Asking for an iterator again neither repeats what was held nor leaves a second reading behind."""
    line, witness = Line(word("a"), word("b")), Witness()
    stream = line.stream()
    stream.when_done(witness)
    await stream.prime(Rule())
    await anext(aiter(stream))

    rest = await read(stream)

    assert rest == "b"
    assert ends(witness) == [[End.COMPLETED]]
    assert line.released == 1


async def test_a_closed_stream_cannot_be_read() -> None:
    """What was held back is not handed out after the connection is gone, and nothing is settled again."""
    line, witness = Line(word()), Witness()
    stream = line.stream()
    stream.when_done(witness)
    await stream.prime(Rule())
    await stream.aclose()

    late = await read(stream)

    assert late == ""
    assert ends(witness) == [[End.ABANDONED]]
    assert line.released == 1


@pytest.mark.parametrize("leave", [left, EventStream.aclose])
async def test_the_source_is_closed_before_its_connection_is_given_back(leave: Leave) -> None:
    """Leaving a stream ends its source at once, not whenever the collector finds it."""
    line = Line(word(), word())
    stream = line.stream()
    await stream.prime(Rule())

    await leave(stream)

    assert line.log == ["sent", "ended", "released"]


async def test_a_release_that_fails_stops_nobody() -> None:
    """A connection that cannot be given back, now or later, is reported; the finishers are told all the same."""
    found: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: found.append(str(context["exception"])))
    witness = Witness()

    async def release() -> None:
        await asyncio.sleep(ENDS_S)
        raise OSError("already gone")

    stream = EventStream(Line(word()).batches(), release)
    stream.when_done(witness)
    text = await read(stream)

    assert text == "hello"
    assert ends(witness) == [[End.COMPLETED]]
    assert found == ["already gone"]


async def test_a_finisher_that_fails_does_not_keep_the_next_from_being_told(clock: VirtualClock) -> None:
    """Finishers that raise, or hang beyond their limit, are reported and passed over."""
    found: list[type[BaseException]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: found.append(type(context["exception"])))
    line, last = Line(word()), Witness(ENDS_S)
    stream, begun = line.stream(), clock.now()

    def bug(_outcome: Outcome) -> None:
        raise ValueError

    for finisher in (bug, Witness(3600.0), last):
        stream.when_done(finisher)
    await read(stream)

    assert found == [ValueError, TimeoutError]
    assert ends(last) == [[End.COMPLETED]]
    assert clock.now() - begun == FINISHER_LIMIT_S + ENDS_S


@pytest.mark.parametrize("after_s", [0.1, 0.3, 0.6])
@pytest.mark.parametrize("times", [1, 5])
async def test_a_cancellation_at_the_end_keeps_nobody_from_being_told(after_s: float, times: int) -> None:
    """A client that leaves while the connection is given back, or while a finisher works, stops none of the others."""
    line, first, second = SlowLine(word()), Witness(ENDS_S), Witness(ENDS_S)
    stream = line.stream()
    stream.when_done(first)
    stream.when_done(second)
    task = asyncio.create_task(read(stream))
    await asyncio.sleep(after_s)

    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0.01)
    await asyncio.wait([task])

    assert task.cancelled()
    assert line.released == 1
    assert ends(first, second) == [[End.COMPLETED], [End.COMPLETED]]


@pytest.mark.parametrize("leave", [left, EventStream.aclose])
async def test_a_cancellation_while_closing_keeps_nobody_from_being_told(leave: Leave) -> None:
    """A task that is cancelled while it closes a stream still settles it, and ends cancelled."""
    line, first, second = SlowLine(word(), word()), Witness(ENDS_S), Witness(ENDS_S)
    stream = line.stream()
    stream.when_done(first)
    stream.when_done(second)
    task = asyncio.ensure_future(leave(stream))
    await asyncio.sleep(0.1)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert line.released == 1
    assert ends(first, second) == [[End.ABANDONED], [End.ABANDONED]]


async def test_an_error_is_settled_as_such_although_the_client_leaves() -> None:
    """A client that leaves while a failure is being settled does not turn the failure into an abandonment."""
    line, first, second = SlowLine(word(), GatewayError(TARGET_UNAVAILABLE, "reset")), Witness(ENDS_S), Witness()
    stream = line.stream()
    stream.when_done(first)
    stream.when_done(second)
    task = asyncio.create_task(read(stream))
    await asyncio.sleep(0.1)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert ends(first, second) == [[End.FAILED], [End.FAILED]]


async def test_a_cancelled_anyio_scope_keeps_nobody_from_being_told() -> None:
    """Inside a cancelled anyio scope, which cancels every further wait anew, release and finishers all run."""
    told: list[str] = []

    async def step(name: str) -> None:
        for _ in range(3):
            await asyncio.sleep(0)  # virtual time stands still while the scope keeps cancelling
        told.append(name)

    stream = EventStream(Line(word(), 1e9).batches(), lambda: step("released"))
    stream.when_done(lambda outcome: step(f"first {outcome.end.value}"))
    stream.when_done(lambda outcome: step(f"second {outcome.end.value}"))
    with anyio.CancelScope() as scope:
        asyncio.get_running_loop().call_later(5.0, scope.cancel)
        await read(stream)

    assert scope.cancelled_caught
    assert told == ["released", "first abandoned", "second abandoned"]
