"""
Leases that one replica holds for all, and the messages between replicas about them; used by shared calls and tapes.

The holder of a lease publishes nothing until another replica asks for it by a *letter*. One task reads the letters and
renews the leases, as long as there are any. What the holder publishes is a list in Redis, which followers read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from app.core.caching.single_flight import Flights
from app.core.clock import Clock
from app.state.answers.redis import RedisAnswers
from app.state.link import Link, StateLostError, unheeded


class Rhythm(msgspec.Struct, frozen=True):
    """
    The intervals of leases and messages.

    A lease lives for `lease_s` and is renewed every `renewed_s`: others wait that long for a dead holder, and the
    holder continues that long for dead followers. Followers send a letter every `letters_s`, and poll for entries every
    `heard_s`; the holder polls for letters every `looked_s`. Both wait `patience_s` for a lost Redis during an answer.
    """

    lease_s: float = 3.0
    renewed_s: float = 1.0
    letters_s: float = 1.0
    looked_s: float = 0.05
    heard_s: float = 0.02
    patience_s: float = 5.0

    @property
    def lease_ms(self) -> int:
        """Return the lease's lifetime in milliseconds, for Redis."""
        return round(self.lease_s * 1000)


class Means(msgspec.Struct, frozen=True):
    """Shared by both sides of a call; `flights` runs their tasks."""

    store: RedisAnswers
    link: Link
    flights: Flights
    clock: Clock
    rhythm: Rhythm


class Held(Protocol):
    """Something held by this replica, which others may request by a letter with its key."""

    key: str
    token: str

    def want(self, now: float) -> None:
        """Handle a request of another replica."""

    def keep(self, now: float) -> None:
        """Do what is due; called every `looked_s`."""


class Leaders:
    """The leases that this replica holds; `replica` is its unique name."""

    def __init__(self, replica: str, means: Means) -> None:
        self.means = means
        self._replica = replica
        self._count = 0
        self._held: dict[str, Held] = {}
        self._keeper: asyncio.Task[None] | None = None

    def token(self) -> str:
        """Return a new token; its first part is the replica's name."""
        self._count += 1
        return f"{self._replica}.{self._count}"

    def hold(self, lease: Held) -> None:
        """Add a lease."""
        self._held[lease.key] = lease
        if self._keeper is None or self._keeper.done():
            self._keeper = self.means.flights.run(self._keep())

    def give_back(self, lease: Held) -> None:
        """Remove a lease."""
        if self._held.get(lease.key) is lease:
            del self._held[lease.key]
        self.release(lease.key, lease.token)

    def release(self, key: str, token: str) -> None:
        """Release a lease to another replica."""
        if self.means.link.up:
            unheeded(self.means.store.renew(key, token, 0))

    async def _keep(self) -> None:
        while self._held:
            await self.means.clock.sleep(self.means.rhythm.looked_s)
            now = self.means.clock.now()
            for lease in list(self._held.values()):
                lease.keep(now)
            if self.means.link.up:
                await self._look_for_letters(now)

    async def _look_for_letters(self, now: float) -> None:
        try:
            letters = await self.means.link.ask(self.means.store.letters(self._replica))
        except StateLostError:
            return
        for letter in letters or ():
            lease = self._held.get(letter.decode())
            if lease is not None:
                lease.want(now)


class Hearing:
    """The entries that the holder of `token` publishes under `key`, from the first one."""

    def __init__(self, key: str, token: str, means: Means) -> None:
        self._key = key
        self._token = token
        self._means = means
        self._heard = 0
        self._asked: float | None = None

    async def news(self) -> tuple[bool, Sequence[bytes], bytes]:
        """
        Return whether more may follow, the new entries, and the stored answer once it is complete.

        Raises:
            StateLostError: Redis is out of reach.
        """
        if not self._means.link.up:
            raise StateLostError("down")
        alive, entries, stored = await self._means.link.ask(self._means.store.hear(self._key, self._token, self._heard))
        self._heard += len(entries)
        return bool(alive), entries, stored

    def ask_for_more(self, replica: str) -> None:
        """Keep telling the holder that this replica follows."""
        now = self._means.clock.now()
        if self._asked is None or now - self._asked >= self._means.rhythm.letters_s:
            self._asked = now
            unheeded(self._means.store.write_to(replica, self._key))
