"""Parts of uvicorn's protocol that take half a kilobyte each of a connection, and here take it when they are used."""

from __future__ import annotations

import asyncio
from typing import TypeVar

from uvicorn.protocols.http.flow_control import FlowControl

T = TypeVar("T")


class Queue(list[T]):
    """What uvicorn uses of a deque; requests that are sent before the answer to the last one are rare."""

    __slots__ = ()

    def appendleft(self, item: T) -> None:
        """Put an item where `pop` finds it last."""
        self.insert(0, item)


class News(asyncio.Event):
    """An event for which one task waits, which needs no deque for that; made before anybody waits."""

    def __init__(self) -> None:  # in place of asyncio's own, which makes the deque
        self._waiters: Queue[asyncio.Future[bool]] = Queue()  # type: ignore[assignment]
        self._value = False


class Flow(FlowControl):
    """Lets writers wait while the client does not read; only then there is an event to wait for."""

    def __init__(self, transport: asyncio.Transport) -> None:  # in place of uvicorn's own, which makes the event
        self._transport = transport
        self.read_paused = False
        self.write_paused = False
        self._writable: asyncio.Event | None = None

    async def drain(self) -> None:
        """Return once the client reads."""
        if self._writable is not None:
            await self._writable.wait()

    def pause_writing(self) -> None:
        """Let writers wait from now on."""
        if not self.write_paused:
            self.write_paused = True
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """Let those go on that wait."""
        self.write_paused = False
        if self._writable is not None:
            self._writable.set()
            self._writable = None
