"""
Buffer a stream for a slow client, up to a limit: `streaming.overflow` set to `drop_oldest` or `error`.

The provider is read in a task of its own. When more than the limit is buffered, either the oldest pieces of text are
dropped (`drop_oldest`), or the stream fails (`error`). Only a client that is still writing the previous batch is slow:
one that waits gets everything buffered, whatever its size. Roles, tool calls, finish reasons, usage and the end are
never dropped; when nothing else is left, reading the provider pauses.
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
    Async iterator over the batches of `stream`, read ahead by at most about `max_bytes`.

    Close it with `aclose` before the stream. `dropped` counts the events that were dropped.
    """

    def __init__(self, stream: EventStream, overflow: Overflow, max_bytes: int) -> None:
        self._overflow = overflow
        self._max_bytes = max_bytes
        self._events: deque[StreamEvent] = deque()
        self._bytes = 0
        self._failure: BaseException | None = None
        self._ended = False
        self._is_waiting = False  # the consumer has written its last batch and waits for the next
        self._changed = asyncio.Event()  # events were added, or the stream ended
        self._emptied = asyncio.Event()
        self.dropped = 0
        self._reading = asyncio.get_running_loop().create_task(self._read(stream))

    def __aiter__(self) -> ReadAhead:
        """Return itself."""
        return self

    async def __anext__(self) -> Batch:
        """
        Return everything that is buffered.

        Raises:
            GatewayError: The stream's own error, after all events before it; or CLIENT_TOO_SLOW, at once.
        """
        self._is_waiting = True
        while not self._events and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        self._is_waiting = False
        if self._failure is not None and (not self._events or self._too_slow):
            raise self._failure
        if not self._events:
            raise StopAsyncIteration
        batch = tuple(self._events)
        self._events.clear()
        self._bytes = 0
        self._emptied.set()
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
            await stream.aclose(error)  # release the provider now: the client may take long to get here
        finally:
            self._ended = True
            self._changed.set()

    async def _take(self, batch: Batch) -> None:
        for event in batch:
            self._events.append(event)
            self._bytes += len(event.frame)
        self._changed.set()
        if self._bytes > self._max_bytes and self._is_waiting:
            await self._wait_until_emptied()
        if self._bytes <= self._max_bytes:
            return
        if self._overflow == "error":
            message = f"The client reads more slowly than the provider sends, by more than {self._max_bytes} bytes."
            raise GatewayError(CLIENT_TOO_SLOW, message)
        self._drop()
        while self._bytes > self._max_bytes:
            await self._wait_until_emptied()

    async def _wait_until_emptied(self) -> None:
        self._emptied.clear()
        await self._emptied.wait()

    def _drop(self) -> None:
        """Drop the oldest text until the rest fits."""
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
    """Return whether an event holds nothing but text, and so may be dropped."""
    chunk = event.chunk
    if chunk is None or event.done or chunk.usage is not None or not chunk.choices:
        return False
    return not any(
        choice.finish_reason
        or choice.delta.role
        or choice.delta.tool_calls
        or choice.delta.function_call
        or bytes(choice.delta.reasoning_details)  # signatures: without them the client cannot send reasoning back
        or bytes(choice.delta.extra_content)  # likewise
        for choice in chunk.choices
    )
