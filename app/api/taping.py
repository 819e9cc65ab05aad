"""The sink of a resumable stream: what is sent to the client is also recorded on a tape."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.api.asgi import AsgiSink
from app.core.disconnects import Departure
from app.core.stream import EVENTS
from app.core.tapes import Tape, TapeEnd

STREAM_ID = b"x-wizard-stream-id"


class TapedSink:
    """
    A `Sink` that records what it sends to another `Sink`.

    Args:
        sink: Sends the answer.

        new_tape: Returns a tape for a stream that begins, or None if there is no room.

        departure: Gets the tape. Once the stream is resumed from it, nothing more is sent here: the client has lost
            this connection, and a server that has not noticed yet could block on it for long.
    """

    def __init__(self, sink: AsgiSink, new_tape: Callable[[], Tape | None], departure: Departure) -> None:
        self._sink = sink
        self._new_tape = new_tape
        self._departure = departure
        self._tape: Tape | None = None
        self._detached = False
        self._sending: asyncio.Task[None] | None = None

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a complete response; it is not recorded."""
        await self._sink.whole(status, headers, body)

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin a response, and record it if it is a stream of events."""
        if (b"content-type", EVENTS.encode()) in headers and (tape := self._new_tape()) is not None:
            self._tape = tape
            self._departure.record(tape, self._detach)
            headers = [*headers, (STREAM_ID, tape.id.encode())]
        await self._sink.head(status, headers)

    async def part(self, data: bytes) -> None:
        """Send a piece of the body; keep-alive comments are not recorded."""
        if self._tape is None or data.startswith(b":"):
            if not self._detached:
                await self._sink.part(data)
            return
        self._tape.add(data)
        if not self._detached:
            await self._send(data)

    async def end(self) -> None:
        """Complete the body."""
        if self._tape is not None:
            self._tape.end(TapeEnd.COMPLETE)
        if not self._detached:
            await self._sink.end()

    async def abort(self) -> None:
        """Leave the response incomplete, and mark its tape as broken."""
        if self._tape is not None:
            self._tape.end(TapeEnd.BROKEN)
        await self._sink.abort()

    async def _send(self, data: bytes) -> None:
        task = self._sending = asyncio.current_task()
        try:
            await self._sink.part(data)
        except asyncio.CancelledError:
            if not self._detached or task is None or task.uncancel() > 0:  # else `_detach` cancelled it
                raise
        finally:
            self._sending = None

    def _detach(self) -> None:
        if self._detached:
            return
        self._detached = True
        if self._sending is not None:  # the client does not read, and must not block the stream
            self._sending.cancel()
