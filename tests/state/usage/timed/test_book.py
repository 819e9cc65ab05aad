"""The listener that adds up and writes: nothing is lost, whatever the store does."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.signals import CallStarted, Spent
from app.core.spending.ledger import UsageKey, UsageRow
from app.core.usage import Usage
from app.state.link import StateLostError
from app.state.usage.book import FLUSH_S, Rows, UsageBook
from app.state.usage.memory import MemoryUsage
from tests.support.virtual_time import VirtualClock

DAY = "2026-11-26"


class Moody(MemoryUsage):
    """A store that refuses as long as it is told to, sometimes after it has taken what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.batches: list[str] = []

    async def add(self, batch: str, rows: Rows) -> None:
        """Take rows, or not."""
        self.batches.append(batch)
        if self.away:
            raise StateLostError("away")
        await super().add(batch, rows)


class Rig:
    """A book, its store, and the time."""

    def __init__(self, clock: VirtualClock) -> None:
        self.store = Moody()
        ids = iter(range(1000))
        self.book = UsageBook(self.store, clock, lambda: f"b{next(ids)}", retention_days=2)

    async def attempts(self) -> int:
        """Return how many attempts the store knows."""
        rows: list[tuple[UsageKey, UsageRow]] = await self.store.read("0000", "9999")
        return sum(row.attempts for _, row in rows)


def spent(day_s: float = 1_795_651_200.0) -> Spent:
    """Return a row of the ledger."""
    return Spent(
        "r", "k", "", "fast", "acme", "small", Usage(1, 1, 2), 5, estimated=False, outcome="completed", at=day_s
    )


async def test_it_writes_once_a_second(clock: VirtualClock) -> None:
    """Not with every call."""
    rig = Rig(clock)
    async with rig.book:
        await asyncio.sleep(FLUSH_S / 2)
        for _ in range(100):
            rig.book(spent())
        rig.book(CallStarted("r", "chat", "fast", stream=False))
        before = await rig.attempts()
        await asyncio.sleep(FLUSH_S)
        after = await rig.attempts()

    assert (before, after, len(rig.store.batches)) == (0, 100, 1)


async def test_what_is_left_is_written_at_the_end(clock: VirtualClock) -> None:
    """A gateway that stops in good order loses nothing."""
    rig = Rig(clock)
    async with rig.book:
        rig.book(spent())

    assert await rig.attempts() == 1


async def test_a_store_that_is_away_loses_nothing(clock: VirtualClock) -> None:
    """Rows are offered again under the same name, and new ones wait behind them."""
    rig = Rig(clock)
    rig.store.away = True
    async with rig.book:
        rig.book(spent())
        await asyncio.sleep(3 * FLUSH_S)
        rig.book(spent())
        rig.store.away = False
        await asyncio.sleep(2 * FLUSH_S)

    assert await rig.attempts() == 2
    assert len(set(rig.store.batches)) == 2


async def test_reading_knows_the_newest(clock: VirtualClock) -> None:
    """A report is about everything up to now."""
    rig = Rig(clock)
    rig.book(spent())

    assert [row.attempts for _, row in await rig.book.read("2026-01-01", "2026-12-31")] == [1]


async def test_reading_from_a_store_that_is_away(clock: VirtualClock) -> None:
    """Whoever asks is told, and nothing is lost."""
    rig = Rig(clock)
    rig.store.away = True
    rig.book(spent())

    with pytest.raises(GatewayError) as caught:
        await rig.book.read(DAY, DAY)
    rig.store.away = False

    assert caught.value.kind is STATE_UNAVAILABLE
    assert len(await rig.book.read("2026-01-01", "2026-12-31")) == 1


async def test_old_days_are_pruned(clock: VirtualClock) -> None:
    """At the start, and then every hour."""
    rig = Rig(clock)
    rig.book(spent(day_s=clock.wall() - 10 * 86_400))
    rig.book(spent(day_s=clock.wall()))
    await rig.book.flush()

    async with rig.book:
        await asyncio.sleep(FLUSH_S / 2)

    assert await rig.attempts() == 1
