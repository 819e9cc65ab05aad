"""
Stored answers in the memory of this process, bounded in number and in bytes.

The policies of cachetools choose which answer is evicted, each in constant time. Expired answers are evicted first, by
a queue of their own.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, Literal, TypeAlias

import msgspec
from cachetools import Cache, FIFOCache, LFUCache, LRUCache

from app.core.caching.ports import ShelfView
from app.core.caching.stored import Selection, Stored
from app.core.clock import Clock

Eviction: TypeAlias = Literal["lru", "lfu", "fifo"]

_POLICIES: Final[Mapping[Eviction, Callable[[float, Callable[[Stored], float]], Cache[str, Stored]]]] = (
    MappingProxyType({"lru": LRUCache, "lfu": LFUCache, "fifo": FIFOCache})
)
_QUEUE_SLACK: Final = 64  # stale entries that the queue may have


class ShelfBounds(msgspec.Struct, frozen=True):
    """Bounds, and the eviction policy."""

    entries_max: int
    bytes_max: int
    eviction: Eviction


class MemoryShelf:
    """The store of answers; keeps its content when its bounds change. Expiry is by wall time."""

    def __init__(self, bounds: ShelfBounds, clock: Clock) -> None:
        self._clock = clock
        self._bounds = bounds
        self._answers = _empty(bounds)
        self._queue: list[tuple[float, str]] = []  # expiry of each answer, soonest first
        self._evicted = 0

    def renew(self, bounds: ShelfBounds) -> None:
        """Change the bounds, as after a reload; answers that still fit stay, in the order of their age."""
        if bounds == self._bounds:
            return
        self._bounds = bounds
        kept = sorted([(self._peek(key), key) for key in self._answers], key=_age)
        self._answers, self._queue = _empty(bounds), []
        for stored, key in kept:
            self.put(key, stored)

    def get(self, key: str) -> Stored | None:
        """Return a stored answer, fresh or stale."""
        stored = self._answers.get(key)
        if stored is not None and stored.gone_s <= self._clock.wall():
            del self._answers[key]
            return None
        return stored

    def put(self, key: str, stored: Stored) -> None:
        """Store an answer, evicting others if necessary; one larger than the whole store is not stored."""
        if self._queue and self._queue[0][0] <= self._clock.wall():
            self._let_go()
        answers, bounds = self._answers, self._bounds
        if stored.size_bytes > bounds.bytes_max:
            answers.pop(key, None)
            return
        before = len(answers) + (key not in answers)
        while len(answers) >= bounds.entries_max and key not in answers:
            answers.popitem()
        answers[key] = stored
        self._evicted += before - len(answers)
        heapq.heappush(self._queue, (stored.gone_s, key))
        if len(self._queue) > 2 * len(answers) + _QUEUE_SLACK:
            self._queue = [(self._peek(key).gone_s, key) for key in answers]
            heapq.heapify(self._queue)

    def remove(self, selection: Selection) -> int:
        """Delete the selected answers and return their number."""
        now = self._clock.wall()
        found = [key for key in self._answers if selection.covers(key, self._peek(key).label, now)]
        for key in found:
            del self._answers[key]
        return len(found)

    def view(self) -> ShelfView:
        """Return its size."""
        self._let_go()
        answers, bounds = self._answers, self._bounds
        return ShelfView(len(answers), bounds.entries_max, int(answers.currsize), bounds.bytes_max, self._evicted)

    def oldest_s(self) -> float | None:
        """Return the age of the oldest answer; linear in the number of answers."""
        now = self._clock.wall()
        return max([self._peek(key).age_s(now) for key in self._answers], default=None)

    def _let_go(self) -> None:
        """Evict expired answers."""
        now, queue, answers = self._clock.wall(), self._queue, self._answers
        while queue and queue[0][0] <= now:
            _, key = heapq.heappop(queue)
            if key in answers and self._peek(key).gone_s <= now:
                del answers[key]

    def _peek(self, key: str) -> Stored:
        """Return an answer without counting that as a use."""
        return Cache.__getitem__(self._answers, key)


def _age(item: tuple[Stored, str]) -> float:
    return item[0].born_s


def _empty(bounds: ShelfBounds) -> Cache[str, Stored]:
    return _POLICIES[bounds.eviction](bounds.bytes_max, _size)


def _size(stored: Stored) -> int:
    return stored.size_bytes
