"""What goes to a client also goes on a tape, until somebody takes the stream over."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from app.core.disconnects import DisconnectOptions
from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.gateway import EdgeOptions
from app.core.tapes import Readable, TapeBounds, TapeEnd
from tests.api.support import BODY, STREAM, Edge, Server
from tests.support.calls import FakeProvider, Line, answers, done, role, streams, word
from tests.support.virtual_time import VirtualClock

BOUNDS = TapeBounds(window_s=60.0, streams_max=9, stream_max_bytes=10_000, total_max_bytes=90_000)
LEAVING = DisconnectOptions({}, otherwise=False, drain_max=1, resume=BOUNDS)
OPTIONS = EdgeOptions(body_max_bytes=10_000, total_s=300.0, keep_alive_s=15.0, leaving=LEAVING)


async def tape_of(edge: Edge, server: Server) -> Readable:
    """Return the tape of an answer that has begun."""
    tape = await edge.desk.tapes.find(server.answer_headers["x-wizard-stream-id"], "open")
    assert tape is not None
    return tape


async def read(tape: Readable) -> bytes:
    """Return all of a tape, as soon as it has ended."""
    return b"".join([data async for data in tape.replay(0)])


async def test_a_tape_has_what_the_client_got(clock: VirtualClock) -> None:
    """Event by event, but for the comments that fill silences."""
    edge, server = (
        Edge(FakeProvider(streams(Line(role(), word(), 40.0, word(), done()))), clock, OPTIONS),
        Server((STREAM,)),
    )

    await edge.serve(server)

    tape = await tape_of(edge, server)
    assert (TapeEnd.COMPLETE, True) == (tape.ending, server.complete)
    assert 2 == server.body.count(b": keep-alive\n\n")
    shown = server.body.replace(b": keep-alive\n\n", b"")
    numbered = b"".join(b"id: %d\n%b\n\n" % (n, each) for n, each in enumerate(shown.split(b"\n\n")[:-1], 1))
    assert numbered == await read(tape)


@pytest.mark.parametrize("body", [BODY, STREAM])
async def test_what_is_no_stream_has_no_tape(clock: VirtualClock, body: bytes) -> None:
    """A whole answer, or a refusal."""
    step = answers() if body is BODY else streams(Line())
    edge, server = Edge(FakeProvider(step), clock, OPTIONS), Server((body,))

    await edge.serve(server)

    assert server.complete
    assert "x-wizard-stream-id" not in server.answer_headers


async def test_a_client_that_does_not_read_is_left_behind(clock: VirtualClock) -> None:
    """Once somebody takes the stream over it goes on at once; the client gets no more, nor an end."""
    edge, server = (
        Edge(FakeProvider(streams(Line(word("a"), 1.0, word("b"), 20.0, done()))), clock, OPTIONS),
        Server((STREAM,)),
    )
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(0.5)
    server.taking.clear()
    await asyncio.sleep(5.0)

    replayed = await read(await tape_of(edge, server))
    await serving

    assert replayed.endswith(b"data: [DONE]\n\n")
    assert not server.complete
    assert b"[DONE]" not in server.body


async def test_a_client_that_reads_is_left_as_well(clock: VirtualClock) -> None:
    """Whoever comes last has the stream, so that it is never a question of who was slower; others may join."""
    edge, server = (
        Edge(FakeProvider(streams(Line(word("a"), 20.0, word("b"), done()))), clock, OPTIONS),
        Server((STREAM,)),
    )
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(0.5)

    replayed = await asyncio.gather(*[read(await tape_of(edge, server)) for _ in range(2)])
    await serving

    assert replayed[0] == replayed[1]
    assert b"[DONE]" in replayed[0]
    assert b"[DONE]" not in server.body
    assert b"keep-alive" not in server.body


@pytest.mark.parametrize("reads", [True, False])
async def test_the_end_of_the_process_ends_a_tape(clock: VirtualClock, reads: bool) -> None:
    """Also while the client does not read: a cancellation from elsewhere is none of a takeover."""
    line = Line(word("a"), 1.0, word("b"), 100.0, done())
    edge, server = Edge(FakeProvider(streams(line)), clock, OPTIONS), Server((STREAM,))
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(0.5)
    tape = await tape_of(edge, server)
    if not reads:
        server.taking.clear()
    await asyncio.sleep(5.0)

    edge.desk.lifecycle.cut()
    serving.cancel()
    server.taking.set()
    await serving

    assert (TapeEnd.BROKEN, 1) == (tape.ending, line.released)
    assert not server.complete


async def test_a_broken_stream_is_a_broken_tape(clock: VirtualClock) -> None:
    """With the error as its last event."""
    line = Line(word("a"), GatewayError(TARGET_UNAVAILABLE, "The connection broke."))
    edge, server = Edge(FakeProvider(streams(line)), clock, OPTIONS), Server((STREAM,))

    await edge.serve(server)

    tape = await tape_of(edge, server)
    error = msgspec.json.decode((await read(tape)).rpartition(b"data: ")[2])["error"]
    assert (TapeEnd.BROKEN, False) == (tape.ending, server.complete)
    assert "stream_broken" == error["code"]


async def test_without_room_a_stream_is_as_ever(clock: VirtualClock) -> None:
    """It has no id, and ends as it should."""
    full = msgspec.structs.replace(LEAVING, resume=msgspec.structs.replace(BOUNDS, streams_max=0))
    options = msgspec.structs.replace(OPTIONS, leaving=full)
    edge, server = Edge(FakeProvider(streams(Line(word("a"), done()))), clock, options), Server((STREAM,))
    broken = Server((STREAM,))
    line = Line(word("a"), GatewayError(TARGET_UNAVAILABLE, "The connection broke."))

    await edge.serve(server)
    await Edge(FakeProvider(streams(line)), clock, options).serve(broken)

    assert (True, False) == (server.complete, broken.complete)
    assert "x-wizard-stream-id" not in server.answer_headers
    assert b"stream_broken" in broken.body
