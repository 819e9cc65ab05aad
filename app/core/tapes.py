"""
Resumable streams: tapes record what streams have sent, for clients that lost the connection.

A tape holds the bytes of one stream as its client receives them. Its events are numbered from 1. The original stream
does not contain the numbers, because SDKs do not tolerate `id:` lines in it; a client counts the events instead. Tapes
live in the memory of the process that writes them, until a while after the end of their streams; processes with shared
state exchange copies.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections.abc import AsyncGenerator, Callable
from enum import Enum
from secrets import token_hex
from typing import Final, Protocol

import msgspec

from app.core.clock import Clock
from app.core.errors import GatewayError

BORDER: Final = b"\n\n"  # terminates every event
_ID_BYTES: Final = 16
_PART_BYTES: Final = 96  # Python's overhead for each part


class TapeBounds(msgspec.Struct, frozen=True):
    """
    Limits of tapes.

    `window_s` is how long a tape is kept after its stream ended, and how long a stream without readers continues.
    `streams_max` limits the number of tapes; `total_max_bytes` limits all together, `stream_max_bytes` each.
    """

    window_s: float
    streams_max: int
    stream_max_bytes: int
    total_max_bytes: int


class Taped(msgspec.Struct, frozen=True):
    """The owner of a tape's stream, the call that it answers, and how its dialect encodes a failure."""

    tenant: str
    request_id: str
    failure: Callable[[GatewayError], bytes]


class TapeEnd(Enum):
    """
    How a tape ended.

    COMPLETE: with the whole stream. BROKEN: with a part of the stream. LOST: it grew too large and was deleted.
    """

    COMPLETE = "complete"
    BROKEN = "broken"
    LOST = "lost"


class TapeWatcher(Protocol):
    """Is notified when readers join or leave a tape whose stream is live."""

    def joined(self) -> None:
        """Handle a new reader."""

    def deserted(self) -> None:
        """Handle the departure of the last reader."""

    def lost(self) -> None:
        """Handle the loss of the tape, which cannot be read any more."""


class Readable(Protocol):
    """
    A stream to resume: a tape of this process, or a copy of another's.

    `events` is the number of events so far, `ending` how the stream ended, if it has.
    """

    id: str
    events: int
    ending: TapeEnd | None

    @property
    def taped(self) -> Taped:
        """Return the owner, call and dialect of the stream."""

    def replay(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield the events after number `after` with their numbers, past and future ones, until the stream ends."""


class TapeCopies(Protocol):
    """Exchanges copies of tapes with other processes."""

    def share(self, tape: Tape) -> None:
        """Publish all that is added to a tape, from its beginning to its end."""

    async def find(self, tape_id: str, tenant: str, after: int) -> Readable | None:
        """
        Return a stream of `tenant` that another process published; None if there is none.

        Waits briefly for one that is missing, or has fewer events than `after`.

        Raises:
            GatewayError: STATE_UNAVAILABLE if shared state is unreachable.
        """

    async def aclose(self) -> None:
        """Publish what is still pending, within a second."""


class Tape:
    """One stream. Its call writes it; any number of readers read it, none of which it waits for."""

    def __init__(self, tape_id: str, taped: Taped, shelf: Tapes, bounds: TapeBounds) -> None:
        self.id = tape_id
        self.taped = taped
        self.bounds = bounds
        self.events = 0
        self.size = 0
        self.end_s: float | None = None
        self.ending: TapeEnd | None = None
        self.watcher: TapeWatcher | None = None
        self._shelf = shelf
        self._parts: list[bytes] = []
        self._before: list[int] = []  # how many events came before each part
        self._readers = 0
        self._changed = asyncio.Event()  # set and cleared at once, to wake waiting readers

    def add(self, data: bytes) -> None:
        """Record whole events that are being sent."""
        if self.ending is None and data:
            self._parts.append(data)
            self._before.append(self.events)
            self.events += data.count(BORDER)
            self.size += len(data) + _PART_BYTES
            self._wake_readers()
            self._shelf.grown(self, len(data) + _PART_BYTES)

    def end(self, ending: TapeEnd) -> None:
        """End the tape. Idempotent: only the first `ending` counts."""
        if self.ending is not None:
            return
        self.ending = ending
        self._shelf.ended(self)
        if ending is TapeEnd.LOST:
            self._parts.clear()
            self._before.clear()
        self._wake_readers()
        if ending is TapeEnd.LOST and self.watcher is not None:
            self.watcher.lost()

    async def replay(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield the events after number `after` with their numbers, past and future ones, until the stream ends."""
        self.join()
        try:
            at = max(bisect_right(self._before, after) - 1, 0)
            while True:
                parts, counts = self._parts[at:], self._before[at:]
                at += len(parts)
                events = b"".join([numbered(part, before, after) for part, before in zip(parts, counts, strict=True)])
                if events:
                    yield events
                elif self.ending is not None:
                    return
                elif not parts:
                    await self._changed.wait()
        finally:
            self.leave()

    def parts(self, start: int) -> list[bytes]:
        """Return the recorded parts from index `start` on."""
        return self._parts[start:]

    def join(self) -> None:
        """Add a reader, or another process's access to the tape; each has to call `leave`."""
        self._readers += 1
        if self.watcher is not None:
            self.watcher.joined()

    def leave(self) -> None:
        """Remove a reader."""
        self._readers -= 1
        if not self._readers and self.watcher is not None and self.ending is None:
            self.watcher.deserted()

    def _wake_readers(self) -> None:
        self._changed.set()
        self._changed.clear()


class Tapes:
    """
    The tapes of one process. If there are too many, the oldest of ended streams are removed, never live ones.

    With `copies` other processes can read them.
    """

    def __init__(
        self,
        clock: Clock,
        new_id: Callable[[], str] = lambda: f"stm_{token_hex(_ID_BYTES)}",
        copies: TapeCopies | None = None,
    ) -> None:
        self._clock = clock
        self._copies = copies
        self._new_id = new_id
        self._tapes: dict[str, Tape] = {}  # by age
        self._bytes = 0

    def open(self, taped: Taped, bounds: TapeBounds) -> Tape | None:
        """Return a tape for a new stream; None if the maximum number of tapes are of live streams."""
        self._remove_expired()
        if len(self._tapes) >= bounds.streams_max and not self._make_room(None):
            return None
        tape = Tape(self._new_id(), taped, self, bounds)
        self._tapes[tape.id] = tape
        if self._copies is not None:
            self._copies.share(tape)
        return tape

    async def find(self, tape_id: str, tenant: str, after: int = 0) -> Readable | None:
        """
        Return the stream `tape_id`, of which the client has `after` events; None if `tenant` has no such stream.

        Raises:
            GatewayError: STATE_UNAVAILABLE if another process may have it, and shared state is unreachable.
        """
        self._remove_expired()
        tape = self._tapes.get(tape_id)
        if tape is not None:
            return tape if tape.taped.tenant == tenant else None
        return None if self._copies is None else await self._copies.find(tape_id, tenant, after)

    async def aclose(self) -> None:
        """Publish what other processes may need, before this process ends."""
        if self._copies is not None:
            await self._copies.aclose()

    def grown(self, tape: Tape, more: int) -> None:
        """Count `more` bytes of a tape, and end it as LOST if it exceeds the limits although others were removed."""
        self._bytes += more
        bounds = tape.bounds
        while self._bytes > bounds.total_max_bytes and self._make_room(tape):
            continue
        if tape.size > bounds.stream_max_bytes or self._bytes > bounds.total_max_bytes:
            tape.end(TapeEnd.LOST)

    def ended(self, tape: Tape) -> None:
        """Record the time at which a tape ended, and remove it if it is lost."""
        tape.end_s = self._clock.now()
        if tape.ending is TapeEnd.LOST:
            self._remove(tape)

    def _remove_expired(self) -> None:
        now = self._clock.now()
        expired = [
            tape for tape in self._tapes.values() if tape.end_s is not None and now - tape.end_s >= tape.bounds.window_s
        ]
        for tape in expired:
            self._remove(tape)

    def _make_room(self, keep: Tape | None) -> bool:
        """Remove the oldest tape of an ended stream except `keep`, and return whether there was one."""
        oldest = next((each for each in self._tapes.values() if each.ending is not None and each is not keep), None)
        if oldest is None:
            return False
        self._remove(oldest)
        return True

    def _remove(self, tape: Tape) -> None:
        del self._tapes[tape.id]
        self._bytes -= tape.size


def numbered(part: bytes, before: int, after: int) -> bytes:
    """Return the events of `part` that follow number `after`, with their numbers; `before` events precede the part."""
    frames = part.split(BORDER)[:-1]
    return b"".join(
        [b"id: %d\n%b\n\n" % (number, frame) for number, frame in enumerate(frames, before + 1) if number > after]
    )
