"""
What replicas hold for all, and how they hear of each other; calls that they share stand on it, and so do tapes.

Whoever holds a lease is told nothing and tells nothing until somebody asks, by a letter to the replica; one task looks
for letters and keeps the leases alive, as long as there are any. What is told is a list in Redis, which others hear.
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
    How often replicas hear of each other.

    For `lease_s` others wait for a replica that died, and a replica goes on for others that died; it renews its lease
    each `renewed_s`. Who follows says so each `letters_s`, and looks each `heard_s` for what has come; the other looks
    each `looked_s` for letters. Both wait for `patience_s` for a Redis that is out of reach in the middle of an answer.
    """

    lease_s: float = 3.0
    renewed_s: float = 1.0
    letters_s: float = 1.0
    looked_s: float = 0.05
    heard_s: float = 0.02
    patience_s: float = 5.0

    @property
    def lease_ms(self) -> int:
        """Return the lease in the unit of Redis."""
        return round(self.lease_s * 1000)


class Means(msgspec.Struct, frozen=True):
    """What both sides of a shared call need; `flights` is where tasks run."""

    store: RedisAnswers
    link: Link
    flights: Flights
    clock: Clock
    rhythm: Rhythm


class Held(Protocol):
    """Something that others may ask this replica for, by a letter with its key, as long as it is held."""

    key: str
    token: str

    def want(self, now: float) -> None:
        """Take note that somebody elsewhere has asked."""

    def keep(self, now: float) -> None:
        """Do what is due; called each `looked_s`."""


class Leaders:
    """The leases that this replica holds; `replica` is its name, which no other has."""

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
        """Hold a lease from now on."""
        self._held[lease.key] = lease
        if self._keeper is None or self._keeper.done():
            self._keeper = self.means.flights.run(self._keep())

    def give_back(self, lease: Held) -> None:
        """Hold a lease no longer."""
        if self._held.get(lease.key) is lease:
            del self._held[lease.key]
        self.release(lease.key, lease.token)

    def release(self, key: str, token: str) -> None:
        """Let another replica have a lease."""
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
    """What another replica tells of something under `key`, from the beginning, as long as `token` is its."""

    def __init__(self, key: str, token: str, means: Means) -> None:
        self._key = key
        self._token = token
        self._means = means
        self._heard = 0
        self._asked: float | None = None

    async def news(self) -> tuple[bool, Sequence[bytes], bytes]:
        """
        Return whether more may come, what has come since the last time, and the stored answer once all is over.

        Raises:
            StateLostError: Redis cannot be asked.
        """
        if not self._means.link.up:
            raise StateLostError("down")
        alive, entries, stored = await self._means.link.ask(self._means.store.hear(self._key, self._token, self._heard))
        self._heard += len(entries)
        return bool(alive), entries, stored

    def ask_for_more(self, replica: str) -> None:
        """Let the other replica know, again and again, that somebody here follows."""
        now = self._means.clock.now()
        if self._asked is None or now - self._asked >= self._means.rhythm.letters_s:
            self._asked = now
            unheeded(self._means.store.write_to(replica, self._key))
