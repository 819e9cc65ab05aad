"""
Reading a stream faster than its client does, up to a bound: what `streaming.overflow` means unless it is `block`.

The provider is read in a task of its own. What it sends waits here, and when that is more than the bound, either the
oldest pieces of text go (`drop_oldest`), or the stream is given up (`error`). Only a client that is still busy with
what it got before is slow: one that waits takes what has come first, however much that is. Beginnings, tool calls,
finish reasons, usage and the end are never dropped; where nothing else is left, the provider has to wait as well.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Literal, TypeAlias

from app.core.errors import CLIENT_TOO_SLOW, GatewayError
from app.core.model import StreamEvent
from app.core.stream import Batch, EventStream

Overflow: TypeAlias = Literal["drop_oldest", "error"]


class ReadAhead:
    """
    The batches of `stream`, read ahead by at most about `max_bytes`.

    An async iterator, to be closed with `aclose` before the stream is. `dropped` counts the events that were left out.
    """

    def __init__(self, stream: EventStream, overflow: Overflow, max_bytes: int) -> None:
        self._overflow = overflow
        self._max_bytes = max_bytes
        self._events: deque[StreamEvent] = deque()
        self._bytes = 0
        self._failure: BaseException | None = None
        self._ended = False
        self._hungry = False  # the client has sent on all it got
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self.dropped = 0
        self._reading = asyncio.get_running_loop().create_task(self._read(stream))

    def __aiter__(self) -> ReadAhead:
        """Return itself."""
        return self

    async def __anext__(self) -> Batch:
        """
        Return everything that waits.

        Raises:
            GatewayError: What the stream raised, once all before it was returned, or CLIENT_TOO_SLOW.
        """
        self._hungry = True
        while not self._events and not self._ended:
            self._news.clear()
            await self._news.wait()
        self._hungry = False
        if self._failure is not None and (not self._events or self._too_slow):
            raise self._failure
        if not self._events:
            raise StopAsyncIteration
        batch = tuple(self._events)
        self._events.clear()
        self._bytes = 0
        self._room.set()
        return batch

    async def aclose(self) -> None:
        """Stop reading."""
        self._reading.cancel()
        await asyncio.wait([self._reading])

    @property
    def _too_slow(self) -> bool:
        return isinstance(self._failure, GatewayError) and self._failure.kind is CLIENT_TOO_SLOW

    async def _read(self, stream: EventStream) -> None:
        try:
            async for batch in stream:
                await self._take(batch)
        except GatewayError as error:
            self._failure = error
            await stream.aclose(
                error
            )  # the provider is let go at once, although the client may not hear of it for long
        finally:
            self._ended = True
            self._news.set()

    async def _take(self, batch: Batch) -> None:
        for event in batch:
            self._events.append(event)
            self._bytes += len(event.frame)
        self._news.set()
        if self._bytes > self._max_bytes and self._hungry:
            await self._taken()
        if self._bytes <= self._max_bytes:
            return
        if self._overflow == "error":
            message = f"The client reads more slowly than the provider sends, by more than {self._max_bytes} bytes."
            raise GatewayError(CLIENT_TOO_SLOW, message)
        self._drop()
        while self._bytes > self._max_bytes:
            await self._taken()

    async def _taken(self) -> None:
        self._room.clear()
        await self._room.wait()

    def _drop(self) -> None:
        """Leave out the oldest text until the rest fits."""
        kept: list[StreamEvent] = []
        while self._events and self._bytes > self._max_bytes:
            event = self._events.popleft()
            if _is_text(event):
                self._bytes -= len(event.frame)
                self.dropped += 1
            else:
                kept.append(event)
        self._events.extendleft(reversed(kept))


def _is_text(event: StreamEvent) -> bool:
    """Say whether an event holds nothing but pieces of text, of which a reader may miss some."""
    chunk = event.chunk
    if chunk is None or event.done or chunk.usage is not None or not chunk.choices:
        return False
    return not any(
        choice.finish_reason
        or choice.delta.role
        or choice.delta.tool_calls
        or choice.delta.function_call
        or bytes(choice.delta.reasoning_details)  # a signature: without it the thought cannot be sent back
        or bytes(choice.delta.extra_content)  # likewise
        for choice in chunk.choices
    )
