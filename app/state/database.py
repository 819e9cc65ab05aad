"""
An SQLite file, used by a thread of its own that runs one piece of work after the other, each as a transaction.

A whole transaction is one hop to that thread and back. A result that nobody awaits any more is dropped, so nothing here
outlives the calling event loop.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, TypeVar

from app.core.errors import GatewayError
from app.state.link import StateLostError

T = TypeVar("T")

_BUSY_S: Final = 5.0  # waits for other workers, whose writes take milliseconds


class Database:
    """
    The file `path`, opened by the first piece of work; if that fails, by the next one.

    Args:
        path: The file; SQLite creates it if it does not exist.

        schema: Statements that create the missing tables.

        make: Creates the file before SQLite does, for instance with other permissions.
    """

    def __init__(self, path: Path, schema: str, make: Callable[[Path], None] | None = None) -> None:
        self._path = path
        self._schema = schema
        self._make = make
        self._thread: ThreadPoolExecutor | None = None
        self._opened: sqlite3.Connection | None = None

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run `work` as a read transaction.

        Raises:
            StateLostError: The file cannot be used.
        """
        return await self._run("BEGIN", work)

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """
        Run `work` as a write transaction.

        Changes that it made before it refused a call are committed too; any other error rolls back.

        Raises:
            StateLostError: The file cannot be used.
        """
        return await self._run("BEGIN IMMEDIATE", work)

    async def aclose(self) -> None:
        """Close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._close)
            thread.shutdown(wait=False)

    async def _run(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "sqlite")
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._transact, begin, work)
        except (sqlite3.Error, OSError) as error:
            raise StateLostError(type(error).__name__) from error

    # --- on the thread ----------------------------------------------------------------------------------------------

    def _transact(self, begin: str, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._opened or self._open()
        with connection:
            connection.execute(begin)
            try:
                return work(connection)
            except GatewayError:
                connection.commit()
                raise

    def _open(self) -> sqlite3.Connection:
        if self._make is not None:
            self._make(self._path)
        connection = sqlite3.connect(self._path, timeout=_BUSY_S, isolation_level=None)
        try:
            connection.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; {self._schema}")
        except BaseException:
            connection.close()
            raise
        self._opened = connection
        return connection

    def _close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None
