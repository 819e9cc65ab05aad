"""The process ends while calls are open: each is told as far as anything can still be told."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.api.support import STREAM, Edge, Server
from tests.support.calls import FakeProvider, Line, answers, done, hangs, streams, word
from tests.support.virtual_time import VirtualClock


async def cut(edge: Edge, server: Server, *, after_s: float = 1.0) -> None:
    """Serve a request, and let the process end in the middle."""
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(after_s)
    edge.desk.lifecycle.cut()
    serving.cancel()
    server.taking.set()
    await serving


async def test_a_call_without_an_answer_is_refused(clock: VirtualClock) -> None:
    """Nothing was said yet, so that it is a 503 which is worth sending again."""
    server = Server()

    await cut(Edge(FakeProvider(hangs()), clock), server)

    assert (server.status, server.error["code"], server.complete) == (503, "overloaded", True)
    assert server.answer_headers["x-should-retry"] == "true"


async def test_a_stream_gets_an_error_and_no_end(clock: VirtualClock) -> None:
    """What has begun is told in its own form, and left incomplete; the provider is let go."""
    line = Line(word("a"), 100.0, done())
    server = Server((STREAM,))

    await cut(Edge(FakeProvider(streams(line)), clock), server)

    error = msgspec.json.decode(server.body.rpartition(b"data: ")[2])["error"]
    assert (error["message"], server.complete, line.released) == ("The gateway is being stopped.", False, 1)


async def test_half_of_a_whole_answer_is_left_as_it_is(clock: VirtualClock) -> None:
    """An answer of known length cannot be followed by anything else."""
    server = Server()
    server.taking.clear()

    await cut(Edge(FakeProvider(answers()), clock), server)

    assert not server.complete
    assert b"stopped" not in b"".join(message.get("body", b"") for message in server.sent)


async def test_any_other_cancellation_stays_one(clock: VirtualClock) -> None:
    """Only the end of the process turns it into an answer."""
    server = Server()
    serving = asyncio.create_task(Edge(FakeProvider(hangs()), clock).serve(server))
    await asyncio.sleep(1.0)

    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
    assert server.sent == []
