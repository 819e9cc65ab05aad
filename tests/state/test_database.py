"""A file of SQLite on a thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from app.core.errors import SESSION_NOT_FOUND, GatewayError
from app.state.database import Database
from app.state.link import StateLostError

SCHEMA = "CREATE TABLE IF NOT EXISTS kept (word TEXT);"


def keep(file: sqlite3.Connection, word: str) -> None:
    """Write a word."""
    file.execute("INSERT INTO kept VALUES (?)", (word,))


def words(file: sqlite3.Connection) -> list[str]:
    """Read all words."""
    return [word for (word,) in file.execute("SELECT word FROM kept")]


async def test_a_failure_leaves_nothing_and_a_refusal_leaves_what_it_did(tmp_path: Path) -> None:
    """A bug may stop halfway; who refuses a call has cleared up before."""
    database = Database(tmp_path / "kept.db", SCHEMA)

    def fail(file: sqlite3.Connection) -> None:
        keep(file, "half")
        raise ValueError("a bug")

    def refuse(file: sqlite3.Connection) -> None:
        keep(file, "cleared up")
        raise GatewayError(SESSION_NOT_FOUND, "It has expired.")

    with pytest.raises(ValueError, match="a bug"):
        await database.write(fail)
    with pytest.raises(GatewayError):
        await database.write(refuse)

    assert await database.read(words) == ["cleared up"]
    await database.aclose()


async def test_what_was_begun_is_done_although_nobody_waits(tmp_path: Path) -> None:
    """A caller who leaves takes nothing apart; the next one finds the file in order."""
    database, begun, go_on = Database(tmp_path / "kept.db", SCHEMA), threading.Event(), threading.Event()

    def slow(file: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(60)
        keep(file, "late")

    task = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(begun.wait, 60)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go_on.set()

    assert await database.read(words) == ["late"]
    await database.aclose()


@pytest.mark.parametrize("how", ["no folder", "no database"])
async def test_a_file_that_cannot_be_used_is_tried_again(tmp_path: Path, how: str) -> None:
    """And nothing stays open."""
    path = tmp_path / "later" / "kept.db"
    if how == "no database":
        path.parent.mkdir()
        path.write_bytes(b"x" * 4096)
    database = Database(path, SCHEMA)

    for _ in range(2):
        with pytest.raises(StateLostError):
            await database.read(words)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)

    assert await database.read(words) == []
    await database.aclose()


def test_an_answer_may_come_when_its_loop_is_closed(tmp_path: Path) -> None:
    """The thread goes on with the next piece of work, asked for by another loop."""
    database, begun, go_on = Database(tmp_path / "kept.db", SCHEMA), threading.Event(), threading.Event()

    def slow(file: sqlite3.Connection) -> None:
        begun.set()
        go_on.wait(60)
        keep(file, "late")

    async def leave() -> None:
        task = asyncio.ensure_future(database.write(slow))
        await asyncio.to_thread(begun.wait, 60)
        task.cancel()

    async def come_back() -> list[str]:
        go_on.set()
        found = await database.read(words)
        await database.aclose()
        return found

    asyncio.run(leave())

    assert asyncio.run(come_back()) == ["late"]


def test_closing_what_was_never_opened(tmp_path: Path) -> None:
    """Nothing is made."""
    asyncio.run(Database(tmp_path / "kept.db", SCHEMA).aclose())

    assert list(tmp_path.iterdir()) == []
