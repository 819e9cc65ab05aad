"""The sink of a stream that can be resumed: what goes to the client also goes on a tape."""

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
    The `Sink` port on another one.

    Args:
        sink: Where the answer goes.

        new_tape: Makes a tape for a stream that begins, if there is room for one.

        departure: Told of the tape. Once somebody resumes the stream from it, the client gets no more: it has lost its
            connection, and where the server does not know that yet, it might wait for the client for long.
    """

    def __init__(self, sink: AsgiSink, new_tape: Callable[[], Tape | None], departure: Departure) -> None:
        self._sink = sink
        self._new_tape = new_tape
        self._departure = departure
        self._tape: Tape | None = None
        self._detached = False
        self._sending: asyncio.Task[None] | None = None

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a complete response, of which there is no tape."""
        await self._sink.whole(status, headers, body)

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin a response, and a tape of it if it is a stream of events."""
        if (b"content-type", EVENTS.encode()) in headers and (tape := self._new_tape()) is not None:
            self._tape = tape
            self._departure.record(tape, self._detach)
            headers = [*headers, (STREAM_ID, tape.id.encode())]
        await self._sink.head(status, headers)

    async def part(self, data: bytes) -> None:
        """Send a piece of the body; comments, which fill silences, are for this client alone."""
        if self._tape is None or data.startswith(b":"):
            if not self._detached:
                await self._sink.part(data)
            return
        self._tape.add(data)
        if not self._detached:
            await self._send(data)

    async def end(self) -> None:
        """End the body properly."""
        if self._tape is not None:
            self._tape.end(TapeEnd.COMPLETE)
        if not self._detached:
            await self._sink.end()

    async def abort(self) -> None:
        """Leave the response incomplete, and its tape too."""
        if self._tape is not None:
            self._tape.end(TapeEnd.BROKEN)
        await self._sink.abort()

    async def _send(self, data: bytes) -> None:
        task = self._sending = asyncio.current_task()
        try:
            await self._sink.part(data)
        except asyncio.CancelledError:
            if not self._detached or task is None or task.uncancel() > 0:  # else it was `_detach`
                raise
        finally:
            self._sending = None

    def _detach(self) -> None:
        if self._detached:
            return
        self._detached = True
        if self._sending is not None:  # the client does not read, and the stream must not wait for that
            self._sending.cancel()
