"""
One stream for several readers: each gets all of it, also who comes late, and none waits for a slower one.

The source is read as fast as the fastest reader takes it. What was sent before a reader came is not kept event by
event, but as the answer so far, which is cut into events again for each who comes late.
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
    How far the source may be ahead of the fastest reader, how far readers may be behind the source, in bytes.

    `answer_max_bytes` is the size of an answer beyond which nobody can join any more.
    """

    ahead_max_bytes: int
    behind_max_bytes: int
    answer_max_bytes: int


class Broadcast:
    """
    The stream of one answer, being read.

    `origin` says who answers, and `elsewhere` whether another replica asked for it; `assembler` adds up the answer.
    """

    def __init__(self, origin: Origin, bounds: BroadcastBounds, *, elsewhere: bool = False) -> None:
        self.origin = origin
        self.elsewhere = elsewhere
        self.assembler = Assembler(bounds.answer_max_bytes)
        self._bounds = bounds
        self._readers: list[Reader] = []
        self._begun = False
        self._error: GatewayError | None = None
        self._room: asyncio.Future[None] | None = None
        self._end = asyncio.Event()

    @property
    def closed(self) -> bool:
        """Say whether nothing more will come."""
        return self._end.is_set()

    @property
    def joinable(self) -> bool:
        """Say whether a reader who comes now would get all of it."""
        return not (self.closed or (self._begun and self.assembler.gave_up))

    def join(self) -> Reader:
        """Return a reader that begins at the beginning."""
        reader = Reader(self)
        if self._begun:
            reader.take(replay_so_far(self.assembler))
        if self.closed:
            reader.end(self._error)
        self._readers.append(reader)
        return reader

    async def relay(self, source: AsyncIterable[Batch]) -> None:
        """
        Read the source to its end and give it to the readers.

        Raises:
            GatewayError: The source failed; the readers are not told yet, see `close`.
        """
        async for batch in source:
            self._begun = True
            self.assembler.observe(batch)
            for reader in self._readers:
                reader.take(batch)
            self._leave_behind()
            while self._is_ahead():
                self._room = asyncio.get_running_loop().create_future()
                await self._room

    def close(self, error: GatewayError | None) -> None:
        """Tell the readers that this was all, or why there is no more."""
        self._error = None if error is None else again(error)
        self._end.set()
        for reader in self._readers:
            reader.end(error)

    async def completion(self) -> Completion | None:
        """Wait for the end, and return the whole answer or raise why not; None if it cannot be told from its events."""
        await self._end.wait()
        if self._error is not None:
            raise again(self._error)
        return self.assembler.completion()

    def leave(self, reader: Reader) -> None:
        """Forget a reader."""
        if reader in self._readers:
            self._readers.remove(reader)
        self.drained()

    def drained(self) -> None:
        """Note that a reader has caught up, or left."""
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _is_ahead(self) -> bool:
        waiting = [reader.waiting_bytes for reader in self._readers]
        return bool(waiting) and min(waiting) > self._bounds.ahead_max_bytes

    def _leave_behind(self) -> None:
        """Break with readers that hold up what others have long read."""
        if len(self._readers) > 1:
            for reader in self._readers:
                if reader.waiting_bytes > self._bounds.behind_max_bytes:
                    reader.end(GatewayError(STREAM_BROKEN, "The answer was read too slowly."))


class Reader:
    """One reading of a broadcast."""

    def __init__(self, broadcast: Broadcast) -> None:
        self.broadcast = broadcast
        self.waiting_bytes = 0
        self._waiting: deque[Batch] = deque()
        self._news: asyncio.Future[None] | None = None
        self._ended = False
        self._error: GatewayError | None = None

    def take(self, batch: Batch) -> None:
        """Let the reader have a batch next, unless it has ended."""
        if not self._ended and batch:
            self._waiting.append(batch)
            self.waiting_bytes += sum([len(event.frame) for event in batch])
            self._wake()

    def end(self, error: GatewayError | None) -> None:
        """Let the reader end after what it has taken; the first end counts."""
        if not self._ended:
            self._ended, self._error = True, error
            self._wake()

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """
        Iterate over the stream; what has gathered in the meantime comes as one batch.

        Raises:
            GatewayError: What the source failed with, or STREAM_BROKEN for a reader that was left behind.
        """
        while True:
            if self._waiting:
                yield self._gathered()
            elif self._ended:
                if self._error is not None:
                    raise again(self._error)
                return
            else:
                self._news = asyncio.get_running_loop().create_future()
                await self._news

    def leave(self) -> None:
        """Read no more."""
        self.broadcast.leave(self)

    def _gathered(self) -> Batch:
        waiting = self._waiting
        batch = waiting[0] if len(waiting) == 1 else [event for each in waiting for event in each]
        waiting.clear()
        self.waiting_bytes = 0
        self.broadcast.drained()
        return batch

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)


def replay_so_far(assembler: Assembler) -> list[StreamEvent]:
    """Return events for what has come of an answer, however it was cut at first."""
    partial = assembler.so_far()
    return [] if partial is None else replay(partial, include_usage=partial.usage is not None)[:-1]


def again(error: GatewayError) -> GatewayError:
    """Return an error like this one for another call; one exception raised twice would mix up their stories."""
    fresh = GatewayError(error.kind, error.message)
    vars(fresh).update(vars(error))
    return fresh
