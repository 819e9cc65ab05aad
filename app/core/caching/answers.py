"""The stored answers as calls see them: those of this process first, then those that replicas share."""

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
    How long answers are good.

    They are fresh for `ttl_s`, less a random share of up to `jitter`, so that what was stored together is not asked
    for again together; `by_model` has other times for some models. A stale one may be given for `revalidate_s` while a
    new one is fetched, and for `on_error_s` if there is none to be had.
    """

    ttl_s: float
    jitter: float
    revalidate_s: float
    on_error_s: float
    by_model: Mapping[str, float]


class Places(msgspec.Struct, frozen=True):
    """Where answers are: the shelf of this process, and what replicas share; `chance` spreads when they end."""

    shelf: Shelf
    shared: SharedAnswers | None
    chance: Chance


class Answers:
    """Finds answers, and keeps those that the policy stores."""

    def __init__(self, policy: CachePolicy, lifetimes: Lifetimes, places: Places, clock: Clock) -> None:
        self.policy = policy
        self.clock = clock
        self._lifetimes = lifetimes
        self._places = places

    @property
    def shared(self) -> SharedAnswers | None:
        """Return what replicas share, if they do and it can be reached."""
        shared = self._places.shared
        return None if shared is None or shared.without is not None else shared

    @property
    def without(self) -> Literal["local", "open", "closed"] | None:
        """Return what to do while that cannot be reached; None if it can, or if nothing is shared."""
        return None if self._places.shared is None else self._places.shared.without

    def here(self, asked: Directives) -> Stored | None:
        """Return what this process has, fresh or stale, for a call that takes stored answers at all."""
        return self._places.shelf.get(asked.key) if asked.reads and self._has_copies else None

    async def anywhere(self, asked: Directives) -> Stored | None:
        """Return what this process or the replicas have, fresh or stale."""
        stored = self.here(asked)
        if not asked.reads or self.shared is None or (stored is not None and self.is_fresh(asked, stored)):
            return stored
        found = await self.shared.get(asked.key)
        if found is not None:
            self.copy(asked.key, found)
        return found or stored

    def is_fresh(self, asked: Directives, stored: Stored) -> bool:
        """Say whether a call can take an answer without a question."""
        return asked.accepts(stored, self.clock.wall())

    def bridges(self, asked: Directives, stored: Stored) -> bool:
        """Say whether a stale answer may be given while a new one is fetched."""
        return self._stale_for(asked, stored, self._lifetimes.revalidate_s)

    def rescues(self, asked: Directives, stored: Stored) -> bool:
        """Say whether a stale answer may be given because there is no new one."""
        return self._stale_for(asked, stored, self._lifetimes.on_error_s)

    def keep(self, asked: Directives, call: Call, completion: Completion, pace: Pace = ()) -> Stored:
        """Return what there is to know of an answer, and store that if it is complete and the call lets it."""
        stored = self._made(asked, call, completion, pace)
        if asked.stores and self.policy.stores(call.request.operation, completion):
            span = None if call.span is None else call.span.child(STORING)
            try:
                self._store(asked.key, stored)
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
        """Let this process have an answer at hand."""
        if self._has_copies:
            self._places.shelf.put(key, stored)

    @property
    def _has_copies(self) -> bool:
        shared = self.shared
        return shared is None or shared.copies

    def _stale_for(self, asked: Directives, stored: Stored, seconds: float) -> bool:
        return asked.max_age_s is None and stored.age_s(self.clock.wall()) < stored.fresh_s + seconds

    def _made(self, asked: Directives, call: Call, completion: Completion, pace: Pace) -> Stored:
        given = self._lifetimes
        ttl_s = given.by_model.get(call.request.model, given.ttl_s)
        fresh_s = asked.ttl_s or ttl_s * (1.0 - given.jitter * self._places.chance())
        return Stored(
            completion=completion,
            model=call.request.model,
            origin=Origin.of(call.journal),
            born_s=self.clock.wall(),
            fresh_s=fresh_s,
            kept_s=fresh_s + max(given.revalidate_s, given.on_error_s),
            pace=pace,
        )
