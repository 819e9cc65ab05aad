"""
The listener that adds up the usage of attempts, and writes it to the store once a second, outside the request path.

Rows that the store does not accept are kept and written again, so an unreachable store loses nothing; a killed process
loses at most the last second.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol, TypeAlias

from app.core.background import BackgroundWork
from app.core.clock import Clock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.signals import Signal, Spent
from app.core.spending.ledger import Sums, UsageKey, UsageRow
from app.state.link import StateLostError

FLUSH_S: Final = 1.0
PRUNE_EVERY: Final = 3600  # flushes
Rows: TypeAlias = Mapping[UsageKey, UsageRow]


class UsageStore(Protocol):
    """Keeps sums by day. Days are ISO dates, which sort as they follow each other."""

    @property
    def shared(self) -> bool:
        """Return whether other workers share the same sums."""

    async def add(self, batch: str, rows: Rows) -> None:
        """
        Add `rows` to the sums; the same `batch` counts once, however often it is added.

        Raises:
            StateLostError: It failed; the same rows may be added again.
        """

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """
        Return the sums of the days from `first_day` to `last_day`.

        Raises:
            StateLostError: The store does not answer.
        """

    async def prune(self, first_day: str) -> None:
        """Forget the days before `first_day`."""

    async def aclose(self) -> None:
        """Close what was opened."""


class UsageBook(BackgroundWork):
    """
    A listener, and a context manager whose task writes; leaving it writes the rest and closes the store.

    `new_id` names batches.
    """

    def __init__(self, store: UsageStore, clock: Clock, new_id: Callable[[], str], retention_days: int) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id
        self._retention_days = retention_days
        self._sums = Sums()
        self._sent: tuple[str, dict[UsageKey, UsageRow]] | None = (
            None  # a batch of which nobody knows whether it was stored
        )
        self._lock = asyncio.Lock()

    @property
    def shared(self) -> bool:
        """Return whether other workers share the same sums."""
        return self._store.shared

    def __call__(self, signal: Signal) -> None:
        """Add a row of the ledger to the sums."""
        if isinstance(signal, Spent):
            self._sums.count(signal)

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """
        Return the sums of some days, up to this moment.

        Raises:
            GatewayError: STATE_UNAVAILABLE.
        """
        try:
            await self.flush()
            return await self._store.read(first_day, last_day)
        except StateLostError as error:
            raise GatewayError(STATE_UNAVAILABLE, "The store of usage does not answer.", retry_after_s=1.0) from error

    async def flush(self) -> None:
        """
        Write pending rows to the store.

        Raises:
            StateLostError: It failed; nothing is lost.
        """
        async with self._lock:
            while self._sent is not None or (rows := self._sums.take()):
                if self._sent is None:
                    self._sent = self._new_id(), rows
                await self._store.add(*self._sent)
                self._sent = None

    async def _finish(self) -> None:
        """Write the rest, and close the store."""
        with suppress(StateLostError):
            await self.flush()
        await self._store.aclose()

    async def _run(self) -> None:
        flushes = 0
        while True:
            with suppress(StateLostError):
                if flushes % PRUNE_EVERY == 0:
                    await self._store.prune(self._oldest())
                await self.flush()
            flushes += 1
            await self._clock.sleep(FLUSH_S)

    def _oldest(self) -> str:
        today = datetime.fromtimestamp(self._clock.wall(), UTC).date()
        return (today - timedelta(days=self._retention_days - 1)).isoformat()
