"""
Read what a provider sends, without ever waiting for it longer than allowed.

One timer per answer watches the reads; it is not re-armed for each of them, so a chunk costs two assignments. Time
during which nobody reads (the client is slow and back-pressure holds the answer up) counts as nobody's silence.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Self, TypeVar

from app.core.errors import BAD_UPSTREAM_REPLY, TIMEOUT_IDLE, TIMEOUT_TOTAL, GatewayError
from app.core.ports import Decoder, UpstreamReply
from app.core.stream import Batch
from app.core.time_limit import TimeLimit
from app.providers.canonical.decoding import CutShortError

F = TypeVar("F", bound=BaseException)

_LOOK_AGAIN_S = 0.001  # uvloop calls timers with less than a millisecond to go at once, again and again
_DRAIN_S = 0.1  # a provider's end of body follows its [DONE] at once; waiting for it keeps the connection usable


class ReadGuard:
    """
    Bound each wait for the next bytes by `idle_s`, and all of them by `deadline` (seconds of the loop's clock).

    Use as a context manager around the whole reading. A wait belongs to the task that is in `next`: the one that reads
    up to the commit point need not be the one that reads on.
    """

    __slots__ = ("_deadline", "_expired", "_idle_s", "_loop", "_reader", "_since", "_timer")

    def __init__(self, idle_s: float, deadline: float) -> None:
        self._idle_s = idle_s
        self._deadline = deadline

    def __enter__(self) -> Self:
        """Start watching."""
        self.start()
        return self

    def start(self) -> None:
        """Start watching."""
        self._loop = loop = asyncio.get_running_loop()
        self._reader: asyncio.Task[object] | None = None  # as long as somebody waits
        self._expired: GatewayError | None = None
        self._since = now = loop.time()
        self._timer = loop.call_at(min(now + self._idle_s, self._deadline), self._look)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching."""
        self.stop()

    def stop(self) -> None:
        """Stop watching; repeatable."""
        self._timer.cancel()

    async def next(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        """
        Return the next bytes, or None at the end.

        Raises:
            GatewayError: TIMEOUT_IDLE, TIMEOUT_TOTAL, or what `chunks` raises.
        """
        self._since = self._loop.time()
        if self._since >= self._deadline:
            raise _too_late()
        self._reader = reader = asyncio.current_task(self._loop)
        try:
            return await anext(chunks, None)
        except asyncio.CancelledError:
            expired, self._expired = self._expired, None
            if expired is None or reader is None or reader.uncancel() > 0:
                raise  # not ours, or somebody else wants the task gone as well
            raise expired from None
        finally:
            self._reader = None

    def _look(self) -> None:
        now = self._loop.time()
        until = min((now if self._reader is None else self._since) + self._idle_s, self._deadline)
        if now < until:
            self._timer = self._loop.call_at(max(until, now + _LOOK_AGAIN_S), self._look)
        elif self._reader is not None:  # else the next read will notice the deadline by itself
            silence = GatewayError(TIMEOUT_IDLE, f"The provider sent nothing for {self._idle_s:g} s.")
            self._expired = _too_late() if now >= self._deadline else silence
            self._reader.cancel()


def _too_late() -> GatewayError:
    return GatewayError(TIMEOUT_TOTAL, "The call's time was over before the answer was complete.")


async def read_whole(reply: UpstreamReply, guard: ReadGuard, max_bytes: int) -> bytes:
    """
    Return the whole body.

    Raises:
        GatewayError: The kinds of `ReadGuard.next`, or BAD_UPSTREAM_REPLY beyond `max_bytes`.
    """
    body = reply.rest()
    if body is None:  # else all of it came with its head, as most do
        body = await _collected(reply.chunks(), guard, max_bytes)
    if len(body) > max_bytes:
        raise GatewayError(BAD_UPSTREAM_REPLY, f"The provider's answer is larger than {max_bytes} bytes.")
    return body


async def read_small(reply: UpstreamReply, guard: ReadGuard, max_bytes: int) -> bytes | Resumed:
    """Return the whole body, or the reply with its beginning if that is more than `max_bytes`; see `ReadGuard.next`."""
    chunks = reply.chunks()
    held = await _collected(chunks, guard, max_bytes)
    return held if len(held) <= max_bytes else Resumed(reply, held, chunks)


async def _collected(chunks: AsyncIterator[bytes], guard: ReadGuard, max_bytes: int) -> bytes:
    """Read until the end, or until there are more than `max_bytes`."""
    parts: list[bytes] = []
    size = 0
    with guard:
        while size <= max_bytes and (data := await guard.next(chunks)) is not None:
            size += len(data)
            parts.append(data)
    return b"".join(parts)


class Resumed:
    """A reply of which the beginning was read; gives all of it all the same."""

    def __init__(self, reply: UpstreamReply, held: bytes, chunks: AsyncIterator[bytes]) -> None:
        self.status, self.headers, self.aclose = reply.status, reply.headers, reply.aclose
        self._held = held
        self._chunks = chunks

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body; see the port."""
        yield self._held
        async for data in self._chunks:
            yield data


class EventReading:
    """
    The reading of a streamed answer: an iterator over its events, as many at a time as one read brought.

    After a proper end nothing has to be given back. `blame` writes the name of who failed on a failure.
    """

    __slots__ = ("_blame", "_chunks", "_decoder", "_failure", "_given_back", "_guard", "_reply")

    def __init__(
        self, reply: UpstreamReply, decoder: Decoder, guard: ReadGuard, blame: Callable[[GatewayError], object]
    ) -> None:
        self._reply = reply
        self._chunks = reply.chunks()
        self._decoder = decoder
        self._guard = guard
        self._blame = blame
        self._failure: GatewayError | None = None  # behind events that are still to be told
        self._given_back = False
        guard.start()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> Batch:
        """
        Return the next events.

        Raises:
            GatewayError: The kinds of `ReadGuard.next` and of the decoder.
        """
        decoder = self._decoder
        if self._failure is not None:
            raise self._failure
        try:
            while not decoder.done:
                data = await self._guard.next(self._chunks)
                events = decoder.end() if data is None else decoder.feed(data)
                if events:
                    return events
                del data  # what has been read must not wait here for the next
        except CutShortError as error:
            self._failure = self._blamed(error)
            if not error.events:
                raise
            return error.events
        except BaseException as error:
            self._blamed(error)
            raise
        await self._end()
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Read no more."""
        self._guard.stop()

    def release(self) -> Awaitable[None] | None:
        """Give the connection back, unless that was done at the end of the events."""
        return None if self._given_back else self._reply.aclose()

    def _blamed(self, error: F) -> F:
        """Stop, and let a failure bear the name of who failed."""
        self._guard.stop()
        if isinstance(error, GatewayError):
            self._blame(error)
        return error

    async def _end(self) -> None:
        self._guard.stop()
        if not self._given_back:
            if self._reply.rest() is None:
                await _drain(self._chunks)
            await self._reply.aclose()
            self._given_back = True


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read up to the end of the body behind the last event; a provider that sends more loses its connection."""
    try:
        with TimeLimit(within_s=_DRAIN_S):
            await anext(chunks, None)
    except (TimeoutError, GatewayError):
        return
