"""Stored answers in memory: what is kept, and what goes first."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.core.caching.stored import Selection, Stored
from app.state.answers.caching import Caching
from app.state.answers.memory import Eviction, MemoryShelf, ShelfBounds
from tests.core.caching.making import answer, stored
from tests.support.virtual_time import EPOCH_S

KEYS = tuple("abcdef")
SMALL = stored().size_bytes
keys = st.sampled_from(KEYS)


@dataclass
class HandClock:
    """A clock that is moved by hand."""

    time_s: float = EPOCH_S

    def now(self) -> float:
        """Return the time."""
        return self.time_s

    def wall(self) -> float:
        """Return the time."""
        return self.time_s

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time_s += seconds


@dataclass
class Kept:
    """What the model knows of an answer."""

    stored: Stored
    order: int  # when it was put, or for LRU last used
    uses: int = 1


class ShelfMachine(RuleBasedStateMachine):
    """Any order of uses, next to a list that is searched for the one that has to go."""

    @initialize(eviction=st.sampled_from(("lru", "lfu", "fifo")), entries=st.integers(1, 4), share=st.floats(1, 5))
    def begin(self, eviction: Eviction, entries: int, share: float) -> None:
        """Put up a shelf."""
        self.clock = HandClock()
        self.bounds = ShelfBounds(entries, int(SMALL * share), eviction)
        self.shelf = MemoryShelf(self.bounds, self.clock)
        self.kept: dict[str, Kept] = {}
        self.steps = self.evicted = 0

    @rule(key=keys, size=st.integers(0, 3), kept_s=st.integers(1, 9))
    def put(self, key: str, size: int, kept_s: int) -> None:
        """Keep an answer; others go for it, those whose time is over first."""
        fresh = msgspec.structs.replace(
            stored(born_s=self.clock.wall(), kept_s=kept_s), completion=answer("x" * size * SMALL)
        )
        self.forget_over()
        if fresh.size_bytes > self.bounds.bytes_max:
            self.kept.pop(key, None)
        else:
            self.make_room(key, fresh)

        self.shelf.put(key, fresh)

    def make_room(self, key: str, fresh: Stored) -> None:
        """Do in the model what the shelf has to do."""
        self.steps += 1
        before = self.kept.get(key)
        while before is None and len(self.kept) >= self.bounds.entries_max:
            self.evict()
        while sum(each.stored.size_bytes for name, each in self.kept.items() if name != key) + fresh.size_bytes > (
            self.bounds.bytes_max
        ):
            self.evict()
        still = self.kept.get(key)
        self.evicted -= before is not None and still is None  # it went for itself, and is there again
        uses = 1 if still is None else still.uses + 1
        self.kept[key] = Kept(fresh, self.steps, uses)

    def evict(self) -> None:
        """Find the one that goes."""
        by_use = self.bounds.eviction == "lfu"
        goes = min(self.kept, key=lambda name: (self.kept[name].uses if by_use else 0, self.kept[name].order))
        del self.kept[goes]
        self.evicted += 1

    def forget_over(self) -> None:
        """Forget what is over."""
        now = self.clock.wall()
        self.kept = {name: each for name, each in self.kept.items() if each.stored.gone_s > now}

    @rule(key=keys)
    def get(self, key: str) -> None:
        """Find what was put last under this key, or nothing if it went or its time is over."""
        found = self.shelf.get(key)

        expected = self.kept.get(key)
        if expected is not None and expected.stored.gone_s <= self.clock.wall():
            del self.kept[key]
            expected = None
        assert found is (None if expected is None else expected.stored)
        if expected is not None:
            self.steps += 1
            expected.uses += 1
            if self.bounds.eviction != "fifo":
                expected.order = self.steps

    @rule(seconds=st.integers(1, 5))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.clock.time_s += seconds

    @rule(key=keys)
    def remove(self, key: str) -> None:
        """Forget one."""
        assert self.shelf.remove(Selection(key=key)) == (self.kept.pop(key, None) is not None)

    @invariant()
    def bounds_hold(self) -> None:
        """Never are there more answers or bytes than there may be, and the counts are right."""
        if hasattr(self, "shelf"):
            self.forget_over()
            view = self.shelf.view()
            assert view.entries == len(self.kept) <= view.entries_max
            assert view.bytes == sum(each.stored.size_bytes for each in self.kept.values()) <= view.bytes_max
            assert view.evicted == self.evicted


TestShelf = ShelfMachine.TestCase
TestShelf.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def filled(clock: HandClock, eviction: Eviction = "lru") -> MemoryShelf:
    """Return a shelf with three answers, a second apart."""
    shelf = MemoryShelf(ShelfBounds(10, 100_000, eviction), clock)
    for key in KEYS[:3]:
        clock.time_s += 1
        shelf.put(key, stored(born_s=clock.time_s, fresh_s=10, kept_s=100))
    return shelf


@pytest.mark.parametrize(
    ("selection", "gone"),
    [
        (Selection(), {"a", "b", "c"}),
        (Selection(key="b"), {"b"}),
        (Selection(prefix=""), {"a", "b", "c"}),
        (Selection(prefix="c"), {"c"}),
        (Selection(model="fast"), {"a", "b", "c"}),
        (Selection(model="acme/small"), {"a", "b", "c"}),
        (Selection(model="small", key="a"), {"a"}),
        (Selection(model="other"), set()),
        (Selection(expired=True), {"a", "b"}),
    ],
)
def test_an_operator_forgets(selection: Selection, gone: set[str]) -> None:
    """What is selected goes, by every condition at once; expired ones are those that are stale."""
    clock = HandClock()
    shelf = filled(clock)
    clock.time_s += 9.5

    count = shelf.remove(selection)

    assert count == len(gone)
    assert {key for key in KEYS[:3] if shelf.get(key) is None} == gone


def test_the_age_is_that_of_the_oldest() -> None:
    """An empty shelf has none."""
    clock = HandClock()

    assert MemoryShelf(ShelfBounds(1, 1, "lru"), clock).oldest_s() is None
    assert filled(clock).oldest_s() == 2.0


def test_other_bounds_keep_what_fits() -> None:
    """A reload that makes the shelf smaller keeps the youngest answers; one that changes nothing keeps all."""
    clock = HandClock()
    shelf = filled(clock)
    bounds = ShelfBounds(2, 100_000, "fifo")

    shelf.renew(bounds)
    shelf.renew(bounds)

    assert [key for key in KEYS[:3] if shelf.get(key) is not None] == ["b", "c"]


def test_answers_that_are_replaced_often_do_not_fill_the_queue() -> None:
    """What is remembered of endings stays in proportion to the answers."""
    clock = HandClock()
    shelf = MemoryShelf(ShelfBounds(10, 100_000, "lru"), clock)

    for n in range(1000):
        shelf.put("a", stored(born_s=clock.time_s, kept_s=10 + n))
    clock.time_s += 1008.5
    there = shelf.get("a")
    clock.time_s += 1

    assert there is not None
    assert shelf.view().entries == 0


def test_there_is_a_shelf_once_somebody_wants_one() -> None:
    """Without a cache nothing is held, and nothing shown."""
    caching, clock = Caching(), HandClock()
    before = caching.view()

    shelf = caching.stocked(ShelfBounds(1, 10_000, "lru"), clock)
    again = caching.stocked(ShelfBounds(2, 10_000, "lru"), clock)

    assert before is None
    assert shelf is again
    assert caching.view() == shelf.view()
