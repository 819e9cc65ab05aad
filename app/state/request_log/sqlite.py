"""The request log in a file of SQLite, which the workers of one machine may share."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.core.request_log import RequestEntry, RequestQuery
from app.state.database import Database

_TRIM_EVERY: Final = 20  # batches: what is too much for so long is little
# What can be asked for has a column; the entry itself is what is answered. All names in the statements are ours.
_WORDS: Final = (
    *("id", "endpoint", "model", "provider", "target_model", "outcome", "status", "code", "kind"),
    *("key", "team", "user", "session", "cache", "trace_id"),
)
_COLUMNS: Final = (*_WORDS, "at", "duration_ms")
_NAMES: Final = ", ".join(f'"{name}"' for name in _COLUMNS)
_CREATE: Final = f"""
CREATE TABLE IF NOT EXISTS requests (number INTEGER PRIMARY KEY, {_NAMES}, entry);
CREATE INDEX IF NOT EXISTS requests_at ON requests (at);
CREATE INDEX IF NOT EXISTS requests_id ON requests (id);
"""
_ADD: Final = f"INSERT INTO requests ({_NAMES}, entry) VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"  # noqa: S608
_TRIM: Final = "DELETE FROM requests WHERE number <= (SELECT max(number) FROM requests) - ?"


class SqliteRequests:
    """Keeps about `max_entries` in the file at `path`, which is opened with the first use."""

    shared = True

    def __init__(self, path: str, max_entries: int) -> None:
        self._file = Database(Path(path), _CREATE)
        self._max_entries = max_entries
        self._batches = 0

    async def add(self, entries: Sequence[RequestEntry]) -> None:
        """Add in one transaction, and take away what is too old now and then."""
        rows = [(*[getattr(entry, name) for name in _COLUMNS], msgspec.json.encode(entry)) for entry in entries]
        trims = self._batches % _TRIM_EVERY == 0

        def write(file: sqlite3.Connection) -> None:
            file.executemany(_ADD, rows)
            if trims:
                file.execute(_TRIM, (self._max_entries,))

        await self._file.write(write)
        self._batches += 1

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """Ask for exactly what is wanted."""
        wanted: list[tuple[str, float | str]] = [(f'"{name}" = ?', value) for name, value in query.equalities()]
        for condition, bound in (
            ("at >= ?", query.since),
            ("at < ?", query.before),
            ("duration_ms >= ?", query.min_duration_ms),
        ):
            if bound is not None:
                wanted.append((condition, bound))
        conditions = " AND ".join(["number > (SELECT max(number) FROM requests) - ?", *[text for text, _ in wanted]])
        asked = f"SELECT entry FROM requests WHERE {conditions} ORDER BY number DESC LIMIT ?"  # noqa: S608
        values = (self._max_entries, *[value for _, value in wanted], query.limit)
        found = await self._file.read(lambda file: file.execute(asked, values).fetchall())
        return [msgspec.json.decode(row[0], type=RequestEntry) for row in found]

    async def aclose(self) -> None:
        """Close the file."""
        await self._file.aclose()
