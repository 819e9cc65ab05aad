"""Comments fill the silence of a stream, and nothing else."""

from __future__ import annotations

import asyncio

import pytest

from app.api.respond import KeepAlive
from tests.api.support import STREAM, Edge, Server
from tests.support.calls import FakeProvider, Line, Sent, done, streams, word
from tests.support.virtual_time import VirtualClock

COMMENT = b": keep-alive\n\n"
EVERY_S = 15.0  # as the edge under test is configured


class Sink:
    """A client that takes what it is sent, or does not while `taking` is not set; knows when it got what."""

    def __init__(self) -> None:
        self.taking = asyncio.Event()
        self.taking.set()
        self.got: list[tuple[float, bytes]] = []
        self.refused = 0

    async def part(self, data: bytes) -> None:
        """Take a piece."""
        try:
            await self.taking.wait()
        except asyncio.CancelledError:
            self.refused += 1
            raise
        self.got.append((asyncio.get_running_loop().time(), data))

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Belongs to the port."""

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Belongs to the port."""

    async def end(self) -> None:
        """Belongs to the port."""

    async def abort(self) -> None:
        """Belongs to the port."""


async def relayed(clock: VirtualClock, *script: Sent) -> list[bytes]:
    """Serve a stream with this script and return the pieces that the client gets."""
    edge, server = Edge(FakeProvider(streams(Line(*script))), clock), Server((STREAM,))
    await edge.serve(server)
    return [message["body"] for message in server.sent[1:] if message["body"]]


async def test_comment_for_each_silent_interval(clock: VirtualClock) -> None:
    """A provider that is silent for fifty seconds leaves room for three comments."""
    got = await relayed(clock, word("a"), 50.0, word("b"), done())

    assert got == [word("a").frame, COMMENT, COMMENT, COMMENT, word("b").frame, done().frame]


async def test_no_comment_while_words_come(clock: VirtualClock) -> None:
    """A stream that is never silent for long has no comments, however long it lasts."""
    got = await relayed(clock, word(), 14.0, word(), 14.0, word(), 14.0, word(), 14.0, done())

    assert COMMENT not in got


async def test_silence_is_measured_from_the_last_word(clock: VirtualClock) -> None:
    """A word moves the next comment away by a whole interval."""
    sink = Sink()
    begun = clock.now()
    async with KeepAlive(sink, EVERY_S) as keep_alive:
        await asyncio.sleep(10.0)
        keep_alive.touch()
        await asyncio.sleep(31.0)

    assert [when - begun for when, _ in sink.got] == [25.0, 40.0]


async def test_no_comment_before_the_commit(clock: VirtualClock) -> None:
    """While the provider has said nothing, nothing is sent: it would commit the status."""
    edge, server = Edge(FakeProvider(streams(Line(100.0, word(), done()))), clock), Server((STREAM,))
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(99.0)

    assert server.sent == []

    await serving
    assert server.complete


async def test_comments_do_not_pile_up() -> None:
    """While the client does not read, one comment waits and no others are made."""
    sink = Sink()
    async with KeepAlive(sink, EVERY_S):
        sink.taking.clear()
        await asyncio.sleep(300.0)
        sink.taking.set()
        await asyncio.sleep(1.0)

    assert [data for _, data in sink.got] == [COMMENT]


async def test_nothing_is_under_way_afterwards(clock: VirtualClock) -> None:
    """Behind the end of the stream no comment is sent any more, not even one that was waiting."""
    sink = Sink()
    async with KeepAlive(sink, EVERY_S):
        sink.taking.clear()
        await asyncio.sleep(20.0)
    sink.taking.set()
    begun = clock.now()
    await asyncio.sleep(300.0)

    assert (sink.got, sink.refused) == ([], 1)
    assert clock.now() == begun + 300.0


async def test_end_does_not_swallow_a_cancellation() -> None:
    """A cancellation that comes while the last comment is being stopped is not mistaken for that comment's own."""
    sink = Sink()
    sink.taking.clear()

    async def stream() -> None:
        async with KeepAlive(sink, EVERY_S):
            await asyncio.sleep(20.0)

    streaming = asyncio.create_task(stream())
    await asyncio.sleep(19.0)
    asyncio.get_running_loop().call_later(1.0, lambda: asyncio.get_running_loop().call_soon(streaming.cancel))

    with pytest.raises(asyncio.CancelledError):
        await streaming


async def test_failure_ends_the_comments(clock: VirtualClock) -> None:
    """A stream that breaks is followed by nothing, comments included."""
    edge = Edge(FakeProvider(streams(Line(word(), 20.0, RuntimeError("a bug")))), clock)
    server = Server((STREAM,))
    await edge.serve(server)
    sent = len(server.sent)

    await asyncio.sleep(300.0)

    assert len(server.sent) == sent
    assert not server.complete
