"""What a store of usage does, and the one in memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, TypeAlias

from app.core.spending.ledger import UsageKey, UsageRow, added

Rows: TypeAlias = Mapping[UsageKey, UsageRow]


class UsageStore(Protocol):
    """Keeps sums by day. Days are ISO dates, which sort as they follow each other."""

    async def add(self, batch: str, rows: Rows) -> None:
        """
        Add `rows` to the sums; the same `batch` counts once, however often it is given.

        Raises:
            StateLostError: It could not be done now; the same rows may be given again.
        """
        ...

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """
        Return the sums of the days from `first_day` to `last_day`.

        Raises:
            StateLostError: The store does not answer.
        """
        ...

    async def prune(self, first_day: str) -> None:
        """Forget the days before `first_day`."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...


class MemoryUsage:
    """Keeps sums as long as the process lives."""

    def __init__(self) -> None:
        self._rows: dict[UsageKey, UsageRow] = {}

    async def add(self, batch: str, rows: Rows) -> None:  # noqa: ARG002 - the port's
        """Add at once."""
        for key, row in rows.items():
            self._rows[key] = added(self._rows, key, row)

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Return what is kept."""
        return [(key, row) for key, row in self._rows.items() if first_day <= key.day <= last_day]

    async def prune(self, first_day: str) -> None:
        """Forget old days."""
        self._rows = {key: row for key, row in self._rows.items() if key.day >= first_day}

    async def aclose(self) -> None:
        """There is nothing to close."""
