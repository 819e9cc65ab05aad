"""
Streams that can be resumed: what each of them has sent so far, for clients that lost their connection to it.

A tape holds the bytes of one stream as its client gets them. Its events are numbered from 1 without the client being
told, for the numbers would be one `id:` line more than SDKs stand; whoever counts what it got knows where it stands.
Tapes live in the memory of the process that writes them, for a while after the end of their streams; where processes
share a state, each lets the others have copies.
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

BORDER: Final = b"\n\n"  # the end of every event
_ID_BYTES: Final = 16
_PART_BYTES: Final = 96  # what Python needs for a piece beside its bytes


class TapeBounds(msgspec.Struct, frozen=True):
    """
    How long a tape is kept after its stream ended, and a stream goes on that nobody reads; how many tapes there are.

    `total_max_bytes` bounds all of them, `stream_max_bytes` each.
    """

    window_s: float
    streams_max: int
    stream_max_bytes: int
    total_max_bytes: int


class Taped(msgspec.Struct, frozen=True):
    """Whose stream is on a tape, which call it answers, and how a failure is told in its dialect."""

    tenant: str
    request_id: str
    failure: Callable[[GatewayError], bytes]


class TapeEnd(Enum):
    """
    How a tape ended.

    COMPLETE: with all of its stream. BROKEN: with what there was of it. LOST: it grew too large, and nothing is left.
    """

    COMPLETE = "complete"
    BROKEN = "broken"
    LOST = "lost"


class TapeWatcher(Protocol):
    """Whoever has to know if somebody reads a tape whose stream is under way."""

    def joined(self) -> None:
        """Take note of a reader who has come."""

    def deserted(self) -> None:
        """Take note that the last reader has left."""

    def lost(self) -> None:
        """Take note that nobody can read it any more."""


class Readable(Protocol):
    """
    A stream as whoever resumes it sees it: a tape, or what another process lets this one have of its own.

    `events` is how many there are so far, `ending` how it ended, if it has.
    """

    id: str
    events: int
    ending: TapeEnd | None

    @property
    def taped(self) -> Taped:
        """Return whose it is."""

    def replay(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield all events after number `after` with their numbers, those that are yet to come as well, to the end."""


class TapeCopies(Protocol):
    """Lets other processes read the tapes of this one, and the other way round."""

    def share(self, tape: Tape) -> None:
        """Let others have what comes onto a tape, from its beginning to its end."""

    async def find(self, tape_id: str, tenant: str, after: int) -> Readable | None:
        """
        Return a stream of `tenant` that another process has, or had; None if there is none to be had.

        A moment is waited for one that is not there, or seems to have fewer events than `after`.

        Raises:
            GatewayError: STATE_UNAVAILABLE if nobody can be asked.
        """

    async def aclose(self) -> None:
        """Let others have what they have not yet, within a second."""


class Tape:
    """One stream. Written by its call; read by any number of readers, none of whom it waits for."""

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
        self._news = asyncio.Event()  # set and cleared at once: it wakes who waits

    def add(self, data: bytes) -> None:
        """Note whole events that are being sent."""
        if self.ending is None and data:
            self._parts.append(data)
            self._before.append(self.events)
            self.events += data.count(BORDER)
            self.size += len(data) + _PART_BYTES
            self._tell()
            self._shelf.grown(self, len(data) + _PART_BYTES)

    def end(self, ending: TapeEnd) -> None:
        """Note that nothing comes any more. Repeatable: the first end counts."""
        if self.ending is not None:
            return
        self.ending = ending
        self._shelf.ended(self)
        if ending is TapeEnd.LOST:
            self._parts.clear()
            self._before.clear()
        self._tell()
        if ending is TapeEnd.LOST and self.watcher is not None:
            self.watcher.lost()

    async def replay(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield all events after number `after` with their numbers, those that are yet to come as well, to the end."""
        self.join()
        try:
            at = max(bisect_right(self._before, after) - 1, 0)
            while True:
                parts, counts = self._parts[at:], self._before[at:]
                at += len(parts)
                told = b"".join([numbered(part, before, after) for part, before in zip(parts, counts, strict=True)])
                if told:
                    yield told
                elif self.ending is not None:
                    return
                elif not parts:
                    await self._news.wait()
        finally:
            self.leave()

    def parts(self, start: int) -> list[bytes]:
        """Return what was noted, from part number `start` on."""
        return self._parts[start:]

    def join(self) -> None:
        """Take note of one more who reads it, or lets others read it; each has to leave."""
        self._readers += 1
        if self.watcher is not None:
            self.watcher.joined()

    def leave(self) -> None:
        """Take note that one has left."""
        self._readers -= 1
        if not self._readers and self.watcher is not None and self.ending is None:
            self.watcher.deserted()

    def _tell(self) -> None:
        self._news.set()
        self._news.clear()


class Tapes:
    """
    The tapes of one process. Where there are too many, those of ended streams go first; of live ones none does.

    With `copies` other processes may read them.
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
        """Return a tape for a stream that begins; None if all there may be belong to live ones."""
        self._forget_old()
        if len(self._tapes) >= bounds.streams_max and not self._make_room(None):
            return None
        tape = Tape(self._new_id(), taped, self, bounds)
        self._tapes[tape.id] = tape
        if self._copies is not None:
            self._copies.share(tape)
        return tape

    async def find(self, tape_id: str, tenant: str, after: int = 0) -> Readable | None:
        """
        Return a stream of which `tenant` has `after` events; None if there is none, or it is somebody else's.

        Raises:
            GatewayError: STATE_UNAVAILABLE if it may be another process's, and those cannot be asked.
        """
        self._forget_old()
        tape = self._tapes.get(tape_id)
        if tape is not None:
            return tape if tape.taped.tenant == tenant else None
        return None if self._copies is None else await self._copies.find(tape_id, tenant, after)

    async def aclose(self) -> None:
        """Let others have what there is, before this process ends."""
        if self._copies is not None:
            await self._copies.aclose()

    def grown(self, tape: Tape, more: int) -> None:
        """Take note that a tape has become larger, and lose it if it is too large, or leaves no room for itself."""
        self._bytes += more
        bounds = tape.bounds
        while self._bytes > bounds.total_max_bytes and self._make_room(tape):
            continue
        if tape.size > bounds.stream_max_bytes or self._bytes > bounds.total_max_bytes:
            tape.end(TapeEnd.LOST)

    def ended(self, tape: Tape) -> None:
        """Take note that a tape has ended."""
        tape.end_s = self._clock.now()
        if tape.ending is TapeEnd.LOST:
            self._remove(tape)

    def _forget_old(self) -> None:
        now = self._clock.now()
        over = [
            tape for tape in self._tapes.values() if tape.end_s is not None and now - tape.end_s >= tape.bounds.window_s
        ]
        for tape in over:
            self._remove(tape)

    def _make_room(self, keep: Tape | None) -> bool:
        """Remove the oldest tape of a stream that has ended, and say whether there was one."""
        oldest = next((each for each in self._tapes.values() if each.ending is not None and each is not keep), None)
        if oldest is None:
            return False
        self._remove(oldest)
        return True

    def _remove(self, tape: Tape) -> None:
        del self._tapes[tape.id]
        self._bytes -= tape.size


def numbered(part: bytes, before: int, after: int) -> bytes:
    """Return the events of a part with their numbers, but those up to number `after`."""
    frames = part.split(BORDER)[:-1]
    return b"".join(
        [b"id: %d\n%b\n\n" % (number, frame) for number, frame in enumerate(frames, before + 1) if number > after]
    )
