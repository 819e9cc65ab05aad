"""Usage in a file of SQLite, which the workers of one machine may share."""

from __future__ import annotations

import sqlite3
from typing import Final

import aiosqlite

from app.core.spending.ledger import COUNTS, DIMENSIONS, UsageKey, UsageRow
from app.state.usage.store import Rows, StoreError

_BUSY_S: Final = 5.0  # other workers write for milliseconds
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

    def __init__(self, path: str) -> None:
        self._path = path
        self._opened: aiosqlite.Connection | None = None

    async def add(self, batch: str, rows: Rows) -> None:  # noqa: ARG002 - the port's
        """Add in one transaction."""
        values = [
            (*[getattr(key, name) for name in DIMENSIONS], *[getattr(row, name) for name in COUNTS])
            for key, row in rows.items()
        ]
        try:
            connection = await self._open()
            await connection.executemany(_ADD, values)
            await connection.commit()
        except sqlite3.Error as error:
            raise StoreError(type(error).__name__) from error

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Return what the file holds."""
        try:
            connection = await self._open()
            async with connection.execute(_READ, (first_day, last_day)) as cursor:
                found = await cursor.fetchall()
        except sqlite3.Error as error:
            raise StoreError(type(error).__name__) from error
        split = len(DIMENSIONS)
        return [(UsageKey(*row[:split]), UsageRow(*row[split:])) for row in map(tuple, found)]

    async def prune(self, first_day: str) -> None:
        """Delete old days."""
        try:
            connection = await self._open()
            await connection.execute("DELETE FROM usage WHERE day < ?", (first_day,))
            await connection.commit()
        except sqlite3.Error as error:
            raise StoreError(type(error).__name__) from error

    async def aclose(self) -> None:
        """Close the file."""
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.close()

    async def _open(self) -> aiosqlite.Connection:
        if self._opened is None:
            connection = await aiosqlite.connect(self._path, timeout=_BUSY_S)
            await connection.execute("PRAGMA journal_mode = WAL")
            await connection.execute(_CREATE)
            self._opened = connection
        return self._opened
