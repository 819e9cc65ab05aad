"""Usage in the memory of this process."""

from __future__ import annotations

from app.core.spending.ledger import UsageKey, UsageRow
from app.state.usage.book import Rows


class MemoryUsage:
    """Keeps sums as long as the process lives."""

    shared = False

    def __init__(self) -> None:
        self._rows: dict[UsageKey, UsageRow] = {}

    async def add(self, batch: str, rows: Rows) -> None:  # noqa: ARG002 - the port's
        """Add at once."""
        for key, row in rows.items():
            self._rows[key] = self._rows.get(key, UsageRow()).plus(row)

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Return what is kept."""
        return [(key, row) for key, row in self._rows.items() if first_day <= key.day <= last_day]

    async def prune(self, first_day: str) -> None:
        """Forget old days."""
        self._rows = {key: row for key, row in self._rows.items() if key.day >= first_day}

    async def aclose(self) -> None:
        """There is nothing to close."""
