"""Lazy replacements for parts of uvicorn's protocol that take half a kilobyte each per connection."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from uvicorn.protocols.http.flow_control import FlowControl

T = TypeVar("T")


class Queue(list[T]):
    """The operations of a deque that uvicorn uses; pipelined requests are rare."""

    __slots__ = ()

    def appendleft(self, item: T) -> None:
        """Insert an item at the front."""
        self.insert(0, item)


class News(asyncio.Event):
    """An event for a single waiting task, which needs no deque; created before the task waits."""

    def __init__(self) -> None:  # in place of asyncio's own, which makes the deque
        self._waiters: Queue[asyncio.Future[bool]] = Queue()  # type: ignore[assignment]
        self._value = False


class Flow(FlowControl):
    """Pauses writers while the client does not read; only then an event exists to wait for."""

    def __init__(self, transport: asyncio.Transport) -> None:  # in place of uvicorn's own, which makes the event
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._writable: asyncio.Event | None = None

    async def drain(self) -> None:
        """Wait until writing is possible."""
        if self._writable is not None:
            await self._writable.wait()

    def pause_writing(self) -> None:
        """Pause the writers."""
        if not self.write_paused:
            self.write_paused = True
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Resume the writers."""
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None
