"""
Broadcast of one stream to several readers: each gets all of it, even if it joins late, and none waits for a slower one.

The source is read as fast as the fastest reader consumes it. Events already sent are not kept: they are added up to the
answer so far, from which events are made again for each late reader.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable

import msgspec

from app.core.answers.assemble import Assembler
from app.core.answers.replay import replay
from app.core.caching.stored import Origin
from app.core.errors import STREAM_BROKEN, GatewayError
from app.core.model import Completion, StreamEvent
from app.core.stream import Batch


class BroadcastBounds(msgspec.Struct, frozen=True):
    """
    How far the source may be ahead of the fastest reader, and how far a reader may lag behind the source, in bytes.

    Nobody can join a stream whose answer is larger than `answer_max_bytes`.
    """

    ahead_max_bytes: int
    behind_max_bytes: int
    answer_max_bytes: int


class Broadcast:
    """
    The stream of one answer, read from its source and passed to all readers.

    `origin` is the target that answers, `elsewhere` whether another replica makes the call; `assembler` adds up the
    answer.
    """

    def __init__(self, origin: Origin, bounds: BroadcastBounds, *, elsewhere: bool = False) -> None:
        self.origin = origin
        self.elsewhere = elsewhere
        self.assembler = Assembler(bounds.answer_max_bytes)
        self._bounds = bounds
        self._readers: list[Reader] = []
        self._begun = False
        self._error: GatewayError | None = None
        self._drained: asyncio.Future[None] | None = None
        self._end = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Return whether the stream has ended."""
        return self._end.is_set()

    @property
    def joinable(self) -> bool:
        """Return whether a reader that joins now would get the whole stream."""
        return not (self.closed or (self._begun and self.assembler.gave_up))

    def join(self) -> Reader:
        """Return a new reader, which starts at the beginning of the stream."""
        reader = Reader(self)
        if self._begun:
            reader.take(replay_so_far(self.assembler))
        if self.closed:
            reader.end(self._error)
        self._readers.append(reader)
        return reader

    async def relay(self, source: AsyncIterable[Batch]) -> None:
        """
        Read the source to its end and pass it to the readers.

        Raises:
            GatewayError: The source failed. `close` has to be called to end the readers.
        """
        async for batch in source:
            self._begun = True
            self.assembler.observe(batch)
            for reader in self._readers:
                reader.take(batch)
            self._end_laggards()
            while self._is_ahead():
                self._drained = asyncio.get_running_loop().create_future()
                await self._drained

    def close(self, error: GatewayError | None) -> None:
        """End the stream for all readers, with `error` if the source failed."""
        self._error = None if error is None else again(error)
        self._end.set()
        for reader in self._readers:
            reader.end(error)

    async def completion(self) -> Completion | None:
        """Wait for the end, then return the answer, or raise the source's error; None if it cannot be assembled."""
        await self._end.wait()
        if self._error is not None:
            raise again(self._error)
        return self.assembler.completion()

    def leave(self, reader: Reader) -> None:
        """Remove a reader."""
        if reader in self._readers:
            self._readers.remove(reader)
        self.drained()

    def drained(self) -> None:
        """Resume reading the source: a reader has caught up, or left."""
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def _is_ahead(self) -> bool:
        waiting = [reader.waiting_bytes for reader in self._readers]
        return bool(waiting) and min(waiting) > self._bounds.ahead_max_bytes

    def _end_laggards(self) -> None:
        """End readers that lag too far behind; a single reader is never too slow, as it slows down the source."""
        if len(self._readers) > 1:
            for reader in self._readers:
                if reader.waiting_bytes > self._bounds.behind_max_bytes:
                    reader.end(GatewayError(STREAM_BROKEN, "The answer was read too slowly."))


class Reader:
    """One reader of a broadcast."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self.waiting_bytes = 0
        self._waiting: deque[Batch] = deque()
        self._wakeup: asyncio.Future[None] | None = None
        self._ended = False
        self._error: GatewayError | None = None

    def take(self, batch: Batch) -> None:
        """Queue a batch, unless the reader has ended."""
        if not self._ended and batch:
            self._waiting.append(batch)
            self.waiting_bytes += sum([len(event.frame) for event in batch])
            self._wake()

    def end(self, error: GatewayError | None) -> None:
        """End the reader after the batches that are queued; only the first call counts."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """
        Iterate over the stream; all queued events come as one batch.

        Raises:
            GatewayError: The error of the source, or STREAM_BROKEN for a reader that lagged too far behind.
        """
        while True:
            if self._waiting:
                yield self._take_queued()
            elif self._ended:
                if self._error is not None:
                    raise again(self._error)
                return
            else:
                self._wakeup = asyncio.get_running_loop().create_future()
                await self._wakeup

    def leave(self) -> None:
        """Stop reading."""
        self.broadcast.leave(self)

    def _take_queued(self) -> Batch:
        waiting = self._waiting
        batch = waiting[0] if len(waiting) == 1 else [event for each in waiting for event in each]
        waiting.clear()
        self.waiting_bytes = 0
        self.broadcast.drained()
        return batch

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)


def replay_so_far(assembler: Assembler) -> list[StreamEvent]:
    """Return events for the answer so far; they need not be cut as the original ones were."""
    partial = assembler.so_far()
    return [] if partial is None else replay(partial, include_usage=partial.usage is not None)[:-1]


def again(error: GatewayError) -> GatewayError:
    """Return a copy of an error for another call; an exception raised twice would mix up their tracebacks."""
    fresh = GatewayError(error.kind, error.message)
    vars(fresh).update(vars(error))
    return fresh
