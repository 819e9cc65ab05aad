"""Copies a stream of this process into Redis, so that it can be resumed elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final

from app.core.errors import STREAM_BROKEN, GatewayError
from app.core.tapes import Tape, TapeEnd
from app.state.answers.leases import Leaders
from app.state.link import arrived, unheeded
from app.state.tapes.entries import Begun, Ended, Entry, Piece, Seal, key_of, sealed

_GATHERED_S: Final = 0.25  # between two batches while nobody reads the stream elsewhere
_LOST_MS: Final = 5_000  # how long readers can see that a tape was lost


class TapeCopy:
    """
    A tape that is being copied; see `app.state.answers.leases.Held`.

    While other replicas ask for the tape, it counts as a reader of it. `over` is called when everything is written.
    """

    def __init__(self, tape: Tape, seal: Seal, leaders: Leaders, over: Callable[[TapeCopy], None]) -> None:
        self.key = self.token = key_of(seal)
        self._sending: asyncio.Future[Any] | None = None
        self._tape = tape
        self._seal = seal
        self._leaders = leaders
        self._means = leaders.means
        self._over = over
        self._numbers = self._copied = 0
        self._waiting: list[bytes] = []  # encrypted, and not confirmed
        self._all_there = False
        self._renewed = self._gathered = self._means.clock.now()
        self._wanted: float | None = None

    def begin(self, replica: str) -> None:
        """Take the lease, and write the head."""
        taped = self._tape.taped
        cut = taped.failure(GatewayError(STREAM_BROKEN, "The rest of this stream cannot be had any more."))
        self._seal_up(Begun(taped.tenant, taped.request_id, replica, cut))
        self._leaders.hold(self)
        if self._means.link.up:
            self._take_lease()
        self._send()

    def want(self, now: float) -> None:
        """Note a reader at another replica."""
        if self._wanted is None:
            self._tape.join()
        self._wanted = now

    def keep(self, now: float) -> None:
        """Renew the lease, and send new events."""
        tape, rhythm = self._tape, self._means.rhythm
        if now - self._renewed >= rhythm.renewed_s:
            self._renewed = now
            self._renew()
        if self._wanted is not None and now - self._wanted >= rhythm.lease_s:
            self._wanted = None
            tape.leave()
        if tape.ending is not None or self._wanted is not None or now - self._gathered >= _GATHERED_S:
            self._gathered = now
            self._gather()
        self._send()
        if tape.end_s is not None and now - tape.end_s >= tape.bounds.window_s:  # and Redis was out of reach since then
            self._end()

    async def flush(self) -> None:
        """Send pending entries, if Redis is in reach."""
        while self._means.link.up:
            self._gather()
            self._send()
            if self._sending is None:
                return
            await asyncio.wait((self._sending,))

    def _renew(self) -> None:
        if self._means.link.up:
            renewed = self._means.store.renew(self.key, self.token, self._means.rhythm.lease_ms)
            renewed.add_done_callback(self._look_at_lease)
            unheeded(self._means.store.tell(self.key, self.token, (), self._kept_ms))

    def _look_at_lease(self, renewed: asyncio.Future[Any]) -> None:
        """Take the lease again if it was lost with Redis."""
        if arrived(renewed) and not renewed.result() and not self._all_there:
            self._take_lease()

    def _take_lease(self) -> None:
        unheeded(self._means.store.look(self.key, self.token, self._means.rhythm.lease_ms, stored_will_do=False))

    def _gather(self) -> None:
        """Encrypt new events, unless the previous ones are still pending."""
        if self._waiting or self._all_there:
            return
        parts, ending = self._tape.parts(self._copied), self._tape.ending
        if parts:
            self._copied += len(parts)
            self._seal_up(Piece(b"".join(parts)))
        if ending is not None:
            self._all_there = True
            self._seal_up(Ended(ending))

    def _seal_up(self, entry: Entry) -> None:
        self._numbers += 1
        self._waiting.append(sealed(self._seal, self._numbers, entry))

    def _send(self) -> None:
        if self._waiting and self._sending is None and self._means.link.up:
            self._sending = self._means.store.tell(self.key, self.token, self._waiting, self._kept_ms)
            self._sending.add_done_callback(self._sent)

    def _sent(self, answer: asyncio.Future[Any]) -> None:
        self._sending = None
        if not arrived(answer):
            return  # sent again later: readers recognize duplicates by their numbers
        self._waiting = []
        if self._all_there:
            self._end()

    def _end(self) -> None:
        self._leaders.give_back(self)
        self._over(self)

    @property
    def _kept_ms(self) -> int:
        if self._tape.ending is TapeEnd.LOST:
            return _LOST_MS
        return round(self._tape.bounds.window_s * 1000) + self._means.rhythm.lease_ms
