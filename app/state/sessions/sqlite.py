"""Sessions in a SQLite database, which processes of one machine may share."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiosqlite
import msgspec

from app.core.clock import Clock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.sessions import Head, Session, Turn, expired, not_found, size_of, too_many
from app.state.sessions import GRACE_S, SWEEP_EVERY_S, StoreLimits

_FILE_MODE = 0o600
_BUSY_MS = 5_000  # which a step waits for one of another process
_SCHEMA: Final = f"""
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA busy_timeout = {_BUSY_MS};
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
_RAWS: Final = msgspec.json.Decoder(tuple[msgspec.Raw, ...])


class SqliteSessions:
    """The `SessionStore` in the database `path`, which is made if it is not there. Opened by the first step."""

    def __init__(self, path: Path, limits: StoreLimits, clock: Clock) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._connection: aiosqlite.Connection | None = None
        self._turn = asyncio.Lock()  # a connection has one transaction at a time
        self._swept: float | None = None

    async def create(self, session: Session) -> None:
        """Keep a new session."""
        head, now_wall = session.head, self._clock.wall()
        async with self._step() as database:
            await self._sweep(database, now_wall)
            mine = "SELECT count(*) FROM sessions WHERE tenant = ? AND expires > ?"
            ((count,),) = await database.execute_fetchall(mine, (head.tenant, now_wall))
            if count >= self._limits.sessions_max:
                raise too_many()
            values = (*_columns(head), _joined(session.instructions))
            await database.execute(f"INSERT INTO sessions ({_HEAD}, instructions) VALUES ({'?, ' * 10}?)", values)  # noqa: S608 - our own names
            await self._add(database, head.id, 0, session.messages)

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and let it live on."""
        async with self._step() as database:
            head, instructions = await self._living(database, tenant, session_id)
            touched = await self._write(database, head)
            rows = await database.execute_fetchall(
                "SELECT body FROM messages WHERE session = ? ORDER BY number", (session_id,)
            )
            return Session(touched, instructions, tuple([bytes(body) for (body,) in rows]))

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Add a turn."""
        async with self._step() as database:
            head, instructions = await self._living(database, tenant, session_id)
            await self._add(database, session_id, head.messages, turn.messages)
            size = head.size + size_of(turn.messages)
            if turn.instructions is not None:
                size += size_of(turn.instructions) - size_of(instructions)
                given = (_joined(turn.instructions), session_id)
                await database.execute("UPDATE sessions SET instructions = ? WHERE id = ?", given)
            longer = head.messages + len(turn.messages)
            return await self._write(
                database, msgspec.structs.replace(head, turns=head.turns + 1, messages=longer, size=size)
            )

    async def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session."""
        async with self._step() as database:
            await self._living(database, tenant, session_id)
            await database.execute("DELETE FROM sessions WHERE id = ?", (session_id,))

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return sessions, those used last first."""
        whose, values = ("", ()) if tenant is None else ("tenant = ? AND ", (tenant,))
        query = f"SELECT {_HEAD} FROM sessions WHERE {whose}expires > ? ORDER BY expires DESC LIMIT ?"  # noqa: S608 - our own words
        async with self._step() as database:
            rows = await database.execute_fetchall(query, (*values, self._clock.wall(), limit))
            return [_head(row) for row in rows]

    async def aclose(self) -> None:
        """Close the database."""
        if self._connection is not None:
            await self._connection.close()
            self._connection = None

    @asynccontextmanager
    async def _step(self) -> AsyncIterator[aiosqlite.Connection]:
        """Do everything inside as one transaction; what a refusal leaves behind (expired content is gone) stays."""
        try:
            async with self._turn:
                database = await self._opened()
                await database.execute("BEGIN IMMEDIATE")
                try:
                    yield database
                except GatewayError:
                    await database.execute("COMMIT")
                    raise
                except BaseException:
                    await database.execute("ROLLBACK")
                    raise
                await database.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise GatewayError(STATE_UNAVAILABLE, "The database of the sessions cannot be used.") from error

    async def _opened(self) -> aiosqlite.Connection:
        if self._connection is None:
            await asyncio.to_thread(_make_private, self._path)
            self._connection = await aiosqlite.connect(self._path, isolation_level=None)
            await self._connection.executescript(_SCHEMA)
        return self._connection

    async def _living(
        self, database: aiosqlite.Connection, tenant: str, session_id: str
    ) -> tuple[Head, tuple[bytes, ...]]:
        query = f"SELECT {_HEAD}, instructions FROM sessions WHERE id = ? AND tenant = ?"  # noqa: S608 - our own names
        rows = list(await database.execute_fetchall(query, (session_id, tenant)))
        if not rows:
            raise not_found(session_id)
        head = _head(rows[0][:-1])
        if self._clock.wall() >= head.expires:
            await _empty(database, "id = ?", session_id)
            raise expired(session_id)
        return head, tuple([bytes(raw) for raw in _RAWS.decode(rows[0][-1])])

    async def _write(self, database: aiosqlite.Connection, head: Head) -> Head:
        touched = msgspec.structs.replace(head, expires=self._clock.wall() + head.ttl_s)
        values = (touched.expires, touched.turns, touched.messages, touched.size, touched.id)
        await database.execute(
            "UPDATE sessions SET expires = ?, turns = ?, messages = ?, size = ? WHERE id = ?", values
        )
        return touched

    async def _add(
        self, database: aiosqlite.Connection, session_id: str, number: int, messages: tuple[bytes, ...]
    ) -> None:
        rows = [(session_id, number + n, message) for n, message in enumerate(messages)]
        await database.executemany("INSERT INTO messages (session, number, body) VALUES (?, ?, ?)", rows)

    async def _sweep(self, database: aiosqlite.Connection, now_wall: float) -> None:
        """Forget what has expired, now and then: the content at once, that it was there later."""
        now = self._clock.now()
        if self._swept is None or now - self._swept >= SWEEP_EVERY_S:
            self._swept = now
            await _empty(database, "expires <= ? AND size > 0", now_wall)
            await database.execute("DELETE FROM sessions WHERE expires <= ?", (now_wall - GRACE_S,))


async def _empty(database: aiosqlite.Connection, which: str, value: object) -> None:
    gone = f"SELECT id FROM sessions WHERE {which}"  # noqa: S608 - our own words
    await database.execute(f"DELETE FROM messages WHERE session IN ({gone})", (value,))  # noqa: S608 - likewise
    rest = "metadata = '{}', instructions = '[]', turns = 0, messages = 0, size = 0"
    await database.execute(f"UPDATE sessions SET {rest} WHERE {which}", (value,))  # noqa: S608 - likewise


def _make_private(path: Path) -> None:
    """Make the file before SQLite does, so that nobody else may read it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, _FILE_MODE))


def _columns(head: Head) -> tuple[object, ...]:
    return (
        *(head.id, head.tenant, head.created, head.expires, head.ttl_s),
        *(head.model, head.metadata, head.turns, head.messages, head.size),
    )


def _head(row: Any) -> Head:  # noqa: ANN401 - as SQLite hands it over
    session_id, tenant, created, expires, ttl_s, model, metadata, turns, messages, size = row
    raw = metadata if isinstance(metadata, bytes) else metadata.encode()
    return Head(session_id, tenant, created, expires, ttl_s, model, raw, turns, messages, size)


def _joined(messages: tuple[bytes, ...]) -> bytes:
    return b"[%b]" % b",".join(messages)
