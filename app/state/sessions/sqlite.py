"""Sessions in a SQLite database, which processes of one machine may share."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from sqlite3 import Connection
from typing import Any, Final, TypeVar

import msgspec

from app.core.clock import Clock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.sessions import Head, Session, Turn, expired, not_found, size_of, too_many
from app.state.database import Database
from app.state.link import StateLostError
from app.state.sessions import GRACE_S, SWEEP_EVERY_S, StoreLimits, joined, parted

T = TypeVar("T")

_FILE_MODE = 0o600
_SCHEMA: Final = """
PRAGMA foreign_keys = ON;
CREATE TABLE IF NOT EXISTS sessions (
  id TEXT PRIMARY KEY, tenant TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL, ttl_s REAL NOT NULL,
  model TEXT, metadata BLOB NOT NULL, instructions BLOB NOT NULL, turns INTEGER NOT NULL, messages INTEGER NOT NULL,
  size INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS sessions_by_tenant ON sessions (tenant, expires);
CREATE INDEX IF NOT EXISTS sessions_by_expiry ON sessions (expires);
CREATE TABLE IF NOT EXISTS messages (
  session TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE, number INTEGER NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (session, number)
) WITHOUT ROWID;
"""
_HEAD: Final = "id, tenant, created, expires, ttl_s, model, metadata, turns, messages, size"


class SqliteSessions:
    """The `SessionStore` in the database `path`, which is created if necessary. Opened by the first step."""

    def __init__(self, path: Path, limits: StoreLimits, clock: Clock) -> None:
        self._file = Database(path, _SCHEMA, _make_private)
        self._limits = limits
        self._clock = clock
        self._swept: float | None = None

    async def create(self, session: Session) -> None:
        """Keep a new session."""
        head = session.head

        def create(file: Connection) -> None:
            now_wall = self._clock.wall()
            self._sweep(file, now_wall)
            mine = "SELECT count(*) FROM sessions WHERE tenant = ? AND expires > ?"
            (count,) = file.execute(mine, (head.tenant, now_wall)).fetchone()
            if count >= self._limits.sessions_max:
                raise too_many()
            values = (*_columns(head), joined(session.instructions))
            file.execute(f"INSERT INTO sessions ({_HEAD}, instructions) VALUES ({'?, ' * 10}?)", values)  # noqa: S608 - our own names
            _add(file, head.id, 0, session.messages)

        await self._step(create)

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and extend its lifetime."""

        def load(file: Connection) -> Session:
            head, instructions = self._living(file, tenant, session_id)
            touched = self._write(file, head)
            rows = file.execute("SELECT body FROM messages WHERE session = ? ORDER BY number", (session_id,))
            return Session(touched, instructions, tuple([bytes(body) for (body,) in rows]))

        return await self._step(load)

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Add a turn."""

        def append(file: Connection) -> Head:
            head, instructions = self._living(file, tenant, session_id)
            _add(file, session_id, head.messages, turn.messages)
            size = head.size + size_of(turn.messages)
            if turn.instructions is not None:
                size += size_of(turn.instructions) - size_of(instructions)
                given = (joined(turn.instructions), session_id)
                file.execute("UPDATE sessions SET instructions = ? WHERE id = ?", given)
            longer = head.messages + len(turn.messages)
            return self._write(file, msgspec.structs.replace(head, turns=head.turns + 1, messages=longer, size=size))

        return await self._step(append)

    async def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session."""

        def delete(file: Connection) -> None:
            self._living(file, tenant, session_id)
            file.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

        await self._step(delete)

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return sessions, most recently used first."""
        whose, values = ("", ()) if tenant is None else ("tenant = ? AND ", (tenant,))
        query = f"SELECT {_HEAD} FROM sessions WHERE {whose}expires > ? ORDER BY expires DESC LIMIT ?"  # noqa: S608 - our own words
        asked = (*values, self._clock.wall(), limit)
        return await self._step(lambda file: [_head(row) for row in file.execute(query, asked)])

    async def aclose(self) -> None:
        """Close the database."""
        await self._file.aclose()

    async def _step(self, work: Callable[[Connection], T]) -> T:
        """Run `work` as one transaction; changes before a refusal (removed expired content) stay."""
        try:
            return await self._file.write(work)
        except StateLostError as error:
            raise GatewayError(STATE_UNAVAILABLE, "The database of the sessions cannot be used.") from error

    # --- parts of steps ---------------------------------------------------------------------------------------------

    def _living(self, file: Connection, tenant: str, session_id: str) -> tuple[Head, tuple[bytes, ...]]:
        query = f"SELECT {_HEAD}, instructions FROM sessions WHERE id = ? AND tenant = ?"  # noqa: S608 - our own names
        row = file.execute(query, (session_id, tenant)).fetchone()
        if row is None:
            raise not_found(session_id)
        head = _head(row[:-1])
        if self._clock.wall() >= head.expires:
            _empty(file, "id = ?", session_id)
            raise expired(session_id)
        return head, parted(row[-1])

    def _write(self, file: Connection, head: Head) -> Head:
        touched = msgspec.structs.replace(head, expires=self._clock.wall() + head.ttl_s)
        values = (touched.expires, touched.turns, touched.messages, touched.size, touched.id)
        file.execute("UPDATE sessions SET expires = ?, turns = ?, messages = ?, size = ? WHERE id = ?", values)
        return touched

    def _sweep(self, file: Connection, now_wall: float) -> None:
        """Periodically remove the content of expired sessions, and later their rows."""
        now = self._clock.now()
        if self._swept is None or now - self._swept >= SWEEP_EVERY_S:
            self._swept = now
            _empty(file, "expires <= ? AND size > 0", now_wall)
            file.execute("DELETE FROM sessions WHERE expires <= ?", (now_wall - GRACE_S,))


def _add(file: Connection, session_id: str, number: int, messages: tuple[bytes, ...]) -> None:
    rows = [(session_id, number + n, message) for n, message in enumerate(messages)]
    file.executemany("INSERT INTO messages (session, number, body) VALUES (?, ?, ?)", rows)


def _empty(file: Connection, which: str, value: object) -> None:
    gone = f"SELECT id FROM sessions WHERE {which}"  # noqa: S608 - our own words
    file.execute(f"DELETE FROM messages WHERE session IN ({gone})", (value,))  # noqa: S608 - likewise
    rest = "metadata = '{}', instructions = '[]', turns = 0, messages = 0, size = 0"
    file.execute(f"UPDATE sessions SET {rest} WHERE {which}", (value,))  # noqa: S608 - likewise


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, so that nobody else may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _FILE_MODE))


def _columns(head: Head) -> tuple[object, ...]:
    return (
        *(head.id, head.tenant, head.created, head.expires, head.ttl_s),
        *(head.model, head.metadata, head.turns, head.messages, head.size),
    )


def _head(row: Any) -> Head:  # noqa: ANN401 - as SQLite returns it
    session_id, tenant, created, expires, ttl_s, model, metadata, turns, messages, size = row
    raw = metadata if isinstance(metadata, bytes) else metadata.encode()
    return Head(session_id, tenant, created, expires, ttl_s, model, raw, turns, messages, size)
