"""A client that stops reading is waited for, but not for ever."""

from __future__ import annotations

import asyncio

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from tests.api.support import STREAM, Edge, Server
from tests.support.calls import TOTAL_S, FakeProvider, Line, Sent, done, streams, word
from tests.support.virtual_time import VirtualClock

MARGIN_S = 60.0  # what a gateway may take on top of a call's whole time to give a client up


async def stalled(clock: VirtualClock, *script: Sent) -> tuple[asyncio.Task[None], Server, Line]:
    """Serve a stream to a client that reads the first word and then no more."""
    line = Line(word("a"), 1.0, *script)
    server = Server((STREAM,))
    serving = asyncio.create_task(Edge(FakeProvider(streams(line)), clock).serve(server))
    await asyncio.sleep(0.5)
    server.taking.clear()
    return serving, server, line


async def test_client_that_reads_again_loses_nothing(clock: VirtualClock) -> None:
    """A pause of the client is no failure: everything comes when it goes on."""
    serving, server, _ = await stalled(clock, word("b"), word("c"), done())
    await asyncio.sleep(100.0)

    server.taking.set()
    await serving

    frames = b"".join(event.frame for event in (word("a"), word("b"), word("c"), done()))
    assert server.body.replace(b": keep-alive\n\n", b"") == frames
    assert server.complete


async def test_provider_is_not_read_ahead(clock: VirtualClock) -> None:
    """While the client does not read, the provider is not asked for more."""
    serving, _, line = await stalled(clock, word("b"), word("c"), word("d"), done())

    await asyncio.sleep(100.0)

    assert line.log.count("sent") == 2
    serving.cancel()
    await asyncio.wait([serving])


async def test_client_that_never_reads_again_is_given_up(clock: VirtualClock) -> None:
    """When the call's whole time is over, its provider is let go, and the stream stays incomplete."""
    serving, server, line = await stalled(clock, word("b"), word("c"), done())

    await asyncio.wait([serving], timeout=TOTAL_S + MARGIN_S)

    assert serving.done()
    assert (line.released, server.complete) == (1, False)


async def test_client_that_never_reads_the_error_is_given_up(clock: VirtualClock) -> None:
    """The same holds when the stream has broken, and only the error is left to be told."""
    serving, server, line = await stalled(clock, GatewayError(TARGET_UNAVAILABLE, "It broke."))

    await asyncio.wait([serving], timeout=TOTAL_S + MARGIN_S)

    assert line.released == 1
    assert serving.done()
    assert not server.complete
