"""Reads the stream of another process from Redis."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from app.core.tapes import BORDER, Taped, TapeEnd, numbered
from app.state.answers.leases import Hearing, Means
from app.state.link import StateLostError
from app.state.tapes.entries import Begun, Ended, Entry, Piece, Seal, key_of, unsealed


class FollowedTape:
    """A stream that another process writes or wrote; see `app.core.tapes.Readable`."""

    def __init__(self, tape_id: str, seal: Seal, means: Means) -> None:
        self.id = tape_id
        self.events = 0
        self.ending: TapeEnd | None = TapeEnd.LOST  # until an end is read
        self._seal = seal
        self._means = means
        self._hearing = Hearing(key_of(seal), key_of(seal), means)
        self._begun = Begun("", "", "", b"")
        self._number = 0
        self._pieces: list[bytes] = []
        self._doubt_s: float | None = None  # time limit without entries, while the writer's state is in doubt
        self._doubted = 0.0

    @property
    def begun(self) -> bool:
        """Return whether any entry has been found."""
        return self._number > 0

    @property
    def taped(self) -> Taped:
        """Return the owner; failures use the error frames that the writer left."""
        return Taped(self._begun.tenant, self._begun.request_id, lambda _error: self._begun.cut)

    async def catch_up(self) -> bool:
        """
        Read new entries, and return whether a writer exists, or did until now.

        Raises:
            StateLostError: Redis is out of reach.
        """
        alive, entries, _ = await self._hearing.news()
        try:
            for number, entry in [unsealed(self._seal, written) for written in entries]:
                self._take(number, entry)
        except ValueError:  # of another version of the gateway
            self.ending = TapeEnd.LOST
        return alive or bool(entries)

    def _take(self, number: int, entry: Entry) -> None:
        if number <= self._number:  # a duplicate
            return
        if number > self._number + 1:  # Redis has lost entries before it
            self.ending = TapeEnd.LOST
            return
        self._number = number
        match entry:
            case Begun():
                self._begun, self.ending = entry, None
            case Piece(data):
                self._pieces.append(data)
                self.events += data.count(BORDER)
            case Ended(how):
                self.ending = how

    async def replay(self, after: int) -> AsyncGenerator[bytes, None]:
        """Yield all present and future events after number `after`, with their numbers, to the end."""
        before = 0
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                told = numbered(piece, before, after)
                before += piece.count(BORDER)
                if told:
                    yield told
            if self.ending is not None:
                return
            await self.follow()

    async def follow(self) -> None:
        """Request more and wait a moment, while the writer is alive and Redis not out of reach for long."""
        means = self._means
        if means.link.up:
            self._hearing.ask_for_more(self._begun.replica)
        await means.clock.sleep(means.rhythm.heard_s)
        try:
            self._doubts(None if await self.catch_up() else means.rhythm.lease_s)
        except StateLostError:
            self._doubts(means.rhythm.patience_s)

    def _doubts(self, patience_s: float | None) -> None:
        """Give up if the same doubt has lasted too long."""
        now = self._means.clock.now()
        if patience_s != self._doubt_s:
            self._doubt_s, self._doubted = patience_s, now
        elif patience_s is not None and now - self._doubted >= patience_s and self.ending is None:
            self.ending = TapeEnd.LOST
