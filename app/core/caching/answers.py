"""Look-up and storage of cached answers: in the memory of this process first, then in the store that replicas share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from app.core.caching.directives import Directives
from app.core.caching.policy import CachePolicy
from app.core.caching.ports import SharedAnswers, Shelf
from app.core.caching.stored import Origin, Pace, Stored
from app.core.call import Call
from app.core.clock import Clock
from app.core.model import Completion
from app.core.ports import Chance

STORING: Final = "wizard.cache.store"  # the span of a traced call


class Lifetimes(msgspec.Struct, frozen=True):
    """
    How long answers may be served.

    They are fresh for `ttl_s`, less a random share of up to `jitter`, so that answers stored together do not expire
    together; `by_model` overrides `ttl_s`. A stale answer may be served for another `revalidate_s` while a new one is
    fetched, and for another `on_error_s` if fetching one fails.
    """

    ttl_s: float
    jitter: float
    revalidate_s: float
    on_error_s: float
    by_model: Mapping[str, float]


class Places(msgspec.Struct, frozen=True):
    """Where answers are stored: in this process, and by all replicas (None: not); `chance` draws the jitter of TTLs."""

    shelf: Shelf
    shared: SharedAnswers | None
    chance: Chance


class Answers:
    """Finds stored answers, and stores those that the policy allows."""

    def __init__(self, policy: CachePolicy, lifetimes: Lifetimes, places: Places, clock: Clock) -> None:
        self.policy = policy
        self.clock = clock
        self._lifetimes = lifetimes
        self._places = places

    @property
    def shared(self) -> SharedAnswers | None:
        """Return the shared store; None if there is none, or it is unreachable."""
        shared = self._places.shared
        return None if shared is None or shared.without is not None else shared

    @property
    def without(self) -> Literal["local", "open", "closed"] | None:
        """Return what to do while the shared store is unreachable; None if it is reachable, or there is none."""
        return None if self._places.shared is None else self._places.shared.without

    def here(self, directives: Directives) -> Stored | None:
        """Return the answer in this process, fresh or stale, if the call accepts stored answers."""
        return self._places.shelf.get(directives.key) if directives.reads and self._has_copies else None

    async def anywhere(self, directives: Directives) -> Stored | None:
        """Return the answer in this process or in the shared store, fresh or stale."""
        stored = self.here(directives)
        if not directives.reads or self.shared is None or (stored is not None and self.is_fresh(directives, stored)):
            return stored
        found = await self.shared.get(directives.key)
        if found is not None:
            self.copy(directives.key, found)
        return found or stored

    def is_fresh(self, directives: Directives, stored: Stored) -> bool:
        """Return whether an answer is fresh enough for a call."""
        return directives.accepts(stored, self.clock.wall())

    def bridges(self, directives: Directives, stored: Stored) -> bool:
        """Return whether a stale answer may be served while a new one is fetched."""
        return self._stale_for(directives, stored, self._lifetimes.revalidate_s)

    def rescues(self, directives: Directives, stored: Stored) -> bool:
        """Return whether a stale answer may be served because no new one could be fetched."""
        return self._stale_for(directives, stored, self._lifetimes.on_error_s)

    def keep(self, directives: Directives, call: Call, completion: Completion, pace: Pace = ()) -> Stored:
        """Return a cache entry for an answer; store it if the call and the policy allow that."""
        stored = self._entry(directives, call, completion, pace)
        if directives.stores and self.policy.stores(call.request.operation, completion):
            span = None if call.span is None else call.span.child(STORING)
            try:
                self._store(directives.key, stored)
            finally:
                if span is not None:
                    span.end()
        return stored

    def _store(self, key: str, stored: Stored) -> None:
        shared = self.shared
        if shared is None or shared.copies:
            self._places.shelf.put(key, stored)
        if shared is not None:
            shared.put(key, stored)

    def copy(self, key: str, stored: Stored) -> None:
        """Copy an answer from the shared store into the memory of this process, if that keeps copies."""
        if self._has_copies:
            self._places.shelf.put(key, stored)

    @property
    def _has_copies(self) -> bool:
        shared = self.shared
        return shared is None or shared.copies

    def _stale_for(self, directives: Directives, stored: Stored, seconds: float) -> bool:
        return directives.max_age_s is None and stored.age_s(self.clock.wall()) < stored.fresh_s + seconds

    def _entry(self, directives: Directives, call: Call, completion: Completion, pace: Pace) -> Stored:
        lifetimes = self._lifetimes
        ttl_s = lifetimes.by_model.get(call.request.model, lifetimes.ttl_s)
        fresh_s = directives.ttl_s or ttl_s * (1.0 - lifetimes.jitter * self._places.chance())
        return Stored(
            completion=completion,
            model=call.request.model,
            origin=Origin.of(call.journal),
            born_s=self.clock.wall(),
            fresh_s=fresh_s,
            kept_s=fresh_s + max(lifetimes.revalidate_s, lifetimes.on_error_s),
            pace=pace,
        )
