"""What stages may do to the events of a stream while it passes: look at them, or give others in their place."""

from __future__ import annotations

import msgspec
import pytest

from app.core.errors import CONTENT_BLOCKED, GatewayError
from app.core.model import Native, StreamEvent
from app.core.outcome import End, Outcome
from app.core.stream import Batch, EventStream
from tests.support.calls import Line, Rule, done, role, text_in, word


async def read(stream: EventStream) -> list[StreamEvent]:
    """Read a stream to its end."""
    return [event async for batch in stream for event in batch]


async def test_observers_see_what_transforms_before_them_made() -> None:
    """Steps run in the order of their registration: an inner stage sees what came, an outer one what goes out."""
    stream = Line(word("a"), word("b"), done()).stream()
    came: list[StreamEvent] = []
    went: list[StreamEvent] = []
    stream.observe(came.extend)
    stream.transform(lambda batch: [word("x") if event.chunk else event for event in batch])
    stream.observe(went.extend)

    sent = await read(stream)

    assert (text_in(came), text_in(went), text_in(sent)) == ("ab", "xx", "xx")


async def test_a_transform_may_hold_events_back() -> None:
    """A batch of which nothing is left is not sent; what was held back goes out with a later one."""
    held: list[StreamEvent] = []

    def hold(batch: Batch) -> Batch:
        held.extend(batch)
        return [held.pop(0) for _ in range(len(held))] if batch[-1].done else []

    stream = Line(role(), word("a"), word("b"), done()).stream()
    await stream.prime(Rule())
    stream.transform(hold)

    batches = [batch async for batch in stream]

    assert [len(batch) for batch in batches] == [4]


async def test_what_a_transform_raises_ends_the_stream() -> None:
    """A refusal in the middle of an answer is a failure like any other: the connection is dropped, and all are told."""
    line, told = Line(word("a"), word("b"), done()), list[Outcome]()

    def refuse(batch: Batch) -> Batch:
        if text_in(list(batch)) == "b":
            raise GatewayError(CONTENT_BLOCKED, "Not that.")
        return batch

    stream = line.stream()
    stream.transform(refuse)
    stream.when_done(told.append)

    with pytest.raises(GatewayError, match=r"Not that\."):
        await read(stream)

    assert [outcome.end for outcome in told] == [End.FAILED]
    assert line.log == ["sent", "sent", "ended", "released"]


async def test_a_transform_takes_the_original_frames_away() -> None:
    """Behind a transform nothing is forwarded in the provider's own words, which may say what was taken out."""
    event = msgspec.structs.replace(word("a"), native=Native("anthropic", b"a"))
    stream = Line(event, done()).stream()
    stream.transform(lambda batch: batch)

    events = [event async for batch in stream for event in batch]

    assert [event.native for event in events] == [None, None]


async def test_an_observer_leaves_the_original_frames() -> None:
    """Whoever only looks changes nothing."""
    event = msgspec.structs.replace(word("a"), native=Native("anthropic", b"a"))
    stream = Line(event, done()).stream()
    stream.observe(lambda _batch: None)

    events = [event async for batch in stream for event in batch]

    assert events[0].native == Native("anthropic", b"a")
