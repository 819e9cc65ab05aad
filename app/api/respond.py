"""
Run a call and write its answer: the second half of every hot route.

Nothing is sent before the pipeline has returned, which is a stream's commit point: until then a failure has its own
HTTP status. Afterwards it is one error event and an incomplete response.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable
from contextlib import suppress
from math import inf
from types import TracebackType
from typing import Self

import msgspec

from app.api.asgi import Receive
from app.api.dialects.port import Style
from app.api.headers import answer_headers
from app.api.readahead import ReadAhead
from app.core.call import Call
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.gateway import EdgeOptions
from app.core.model import Completion
from app.core.pipeline import Handler
from app.core.ports import Sink
from app.core.signals import Listener, StreamTrimmed
from app.core.stream import EVENTS, Batch
from app.core.time_limit import TimeLimit

_GRACE_S = 1.0  # reading the provider ends at the deadline; writing beyond that means that the client is slow
NEVER_S = 31_536_000.0  # the keep-alive interval of bodies other than SSE, which cannot hold comments
_COMMENT = b": keep-alive\n\n"  # the only frame besides `data` that every SDK accepts
STREAM_HEADERS = (
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)


class Ready(msgspec.Struct, frozen=True):
    """A call ready to run: its handler, the limits of the edge, and the ASGI `receive` that reports a disconnect."""

    call: Call
    handler: Handler[Call]
    edge: EdgeOptions
    client: Receive


async def respond(ready: Ready, sink: Sink, style: Style, clock: Clock, listener: Listener) -> None:
    """
    Run the call and send its answer into `sink`.

    Raises:
        GatewayError: The call failed and nothing has been sent yet.
    """
    call, edge = ready.call, ready.edge
    reply = await ready.handler(call)
    headers = [*answer_headers(call, clock.now()), *style.headers]
    if isinstance(reply.body, Completion):
        media_type = reply.body.media_type.encode()
        await sink.whole(200, [(b"content-type", media_type), *headers], style.whole(reply.body))
        return
    stream = reply.body
    every_s = edge.keep_alive_s if stream.media_type == EVENTS else NEVER_S
    try:
        await sink.head(200, [(b"content-type", stream.media_type.encode()), *STREAM_HEADERS, *headers])
        del headers, reply  # free the memory: a stream may last long
        if edge.overflow == "block":
            complete = await relay(stream, call, sink, style, every_s)
        else:
            ahead = ReadAhead(stream, edge.overflow, edge.buffer_bytes)
            complete = await _closing(ahead, relay(ahead, call, sink, style, every_s), call, listener)
    finally:
        await stream.aclose()
    if complete:
        await sink.end()
    else:
        await sink.abort()


async def relay(batches: AsyncIterable[Batch], call: Call, sink: Sink, style: Style, every_s: float) -> bool:
    """Forward the events; return whether the stream completed. False too if the client reads too slowly."""
    keep_alive = KeepAlive(sink, every_s, call.deadline + _GRACE_S)
    try:
        async with keep_alive:
            async for batch in batches:
                keep_alive.touch()
                await sink.part(style.part(batch))
                del batch  # else it stays in memory until the next one arrives
    except TimeoutError:
        return False
    except GatewayError as error:
        with suppress(TimeoutError), TimeLimit(within_s=_GRACE_S):
            await sink.part(style.failure(error))
        return False
    return True


async def _closing(ahead: ReadAhead, relaying: Awaitable[bool], call: Call, listener: Listener) -> bool:
    """Await the relay of what is read ahead; then stop reading, and report dropped events."""
    try:
        return await relaying
    finally:
        await ahead.aclose()
        if ahead.dropped:
            listener(StreamTrimmed(call.id, ahead.dropped))


class KeepAlive(TimeLimit):
    """
    Bounds the writing of a stream (`until`: the event loop's clock), and sends a comment after `every_s` of silence.

    Both use one timer per stream, which traffic does not re-arm. A task exists only while a comment is being written.
    """

    __slots__ = ("_every_s", "_sink", "_touched", "_until", "_writing")

    def __init__(self, sink: Sink, every_s: float, until: float = inf) -> None:
        self._touched = asyncio.get_running_loop().time()
        super().__init__(min(self._touched + every_s, until))
        self._every_s = every_s
        self._until = until
        self._sink = sink
        self._writing: asyncio.Task[None] | None = None

    def touch(self) -> None:
        """Record that data was sent."""
        self._touched = self._loop.time()

    async def __aenter__(self) -> Self:
        """Start watching."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and cancel a comment that is being written."""
        try:
            self.__exit__(kind, error, trace)
        finally:
            if self._writing is not None:
                self._writing.cancel()
                await asyncio.wait([self._writing])

    def _expire(self) -> None:
        now = self._loop.time()
        if now >= self._until:
            super()._expire()
            return
        due = self._touched + self._every_s
        if now >= due:
            due = now + self._every_s
            if self._writing is None or self._writing.done():  # else the client does not read: do not add another
                self._writing = self._loop.create_task(self._sink.part(_COMMENT))
        self._timer = self._loop.call_at(min(due, self._until), self._expire)
