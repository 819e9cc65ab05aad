"""Usage in a file of SQLite, which the workers of one machine may share."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from app.core.spending.ledger import COUNTS, DIMENSIONS, UsageKey, UsageRow
from app.state.database import Database
from app.state.usage.book import Rows

_COLUMNS: Final = (*DIMENSIONS, *COUNTS)
_CREATE: Final = (
    f"CREATE TABLE IF NOT EXISTS usage ({', '.join(f'{name} TEXT NOT NULL' for name in DIMENSIONS)},"
    f" {', '.join(f'{name} INTEGER NOT NULL' for name in COUNTS)},"
    f" PRIMARY KEY ({', '.join(DIMENSIONS)})) WITHOUT ROWID"
)
_ADD: Final = (
    f"INSERT INTO usage ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - our own names
    f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in COUNTS)}"
)
_READ: Final = f"SELECT {', '.join(_COLUMNS)} FROM usage WHERE day BETWEEN ? AND ?"  # noqa: S608


class SqliteUsage:
    """Keeps sums in the file at `path`, which is opened with the first use."""

    shared = True

    def __init__(self, path: str) -> None:
        self._file = Database(Path(path), _CREATE)

    async def add(self, batch: str, rows: Rows) -> None:  # noqa: ARG002 - the port's
        """Add in one transaction."""
        values = [
            (*[getattr(key, name) for name in DIMENSIONS], *[getattr(row, name) for name in COUNTS])
            for key, row in rows.items()
        ]
        await self._file.write(lambda file: file.executemany(_ADD, values))

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Return what the file holds."""
        found = await self._file.read(lambda file: file.execute(_READ, (first_day, last_day)).fetchall())
        split = len(DIMENSIONS)
        return [(UsageKey(*row[:split]), UsageRow(*row[split:])) for row in found]

    async def prune(self, first_day: str) -> None:
        """Delete old days."""
        await self._file.write(lambda file: file.execute("DELETE FROM usage WHERE day < ?", (first_day,)))

    async def aclose(self) -> None:
        """Close the file."""
        await self._file.aclose()
