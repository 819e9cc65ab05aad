"""
Sessions in files, one each (`lines.py`).

    PATH/OWNER/sess_….jsonl        OWNER is a digest, as owners may have any name

A file's modification time is the expiry of its session. Processes of one machine may share the folder: each step
holds the lock of its file. All file operations run in threads.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from app.core.clock import Clock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.sessions import Head, Session, Turn, emptied, expired, grown, not_found, too_many
from app.state.sessions import GRACE_S, SWEEP_EVERY_S, StoreLimits, checked
from app.state.sessions.lines import first_line, read_all, read_lines, turn_line, whole_lines, write_all

T = TypeVar("T")
_FOLDER_MODE, _FILE_MODE = 0o700, 0o600
_OWNER_CHARS, _SUFFIX = 32, ".jsonl"
_EXISTING: Final = os.O_RDWR | os.O_APPEND


class FileSessions:
    """The `SessionStore` in the folder `path`, which is created if necessary."""

    def __init__(self, path: Path, limits: StoreLimits, clock: Clock) -> None:
        self._path = path
        self._limits = limits
        self._clock = clock
        self._swept: float | None = None

    async def create(self, session: Session) -> None:
        """Keep a new session."""
        await self._in_thread(lambda: self._create(session))

    async def load(self, tenant: str, session_id: str) -> Session:
        """Return a session, and extend its lifetime."""

        def load() -> Session:
            with self._opened(self._file(tenant, session_id)) as descriptor:
                return self._touched(descriptor, self._living(descriptor))

        return await self._in_thread(load)

    async def append(self, tenant: str, session_id: str, turn: Turn) -> Head:
        """Add a turn."""

        def append() -> Head:
            with self._opened(self._file(tenant, session_id)) as descriptor:
                before = self._living(descriptor)
                os.ftruncate(
                    descriptor, whole_lines(read_all(descriptor))
                )  # removes the rest of a turn that a crash left
                write_all(descriptor, turn_line(turn))
                return self._touched(descriptor, grown(before, turn)).head

        return await self._in_thread(append)

    async def delete(self, tenant: str, session_id: str) -> None:
        """Forget a session."""

        def delete() -> None:
            file = self._file(tenant, session_id)
            with self._opened(file) as descriptor:
                self._living(descriptor)
                file.unlink()

        await self._in_thread(delete)

    async def listing(self, tenant: str | None, limit: int) -> list[Head]:
        """Return sessions, most recently used first."""

        def listing() -> list[Head]:
            pattern = f"{'*' if tenant is None else _owner(tenant)}/*{_SUFFIX}"
            ends = [(ends, file) for file in self._path.glob(pattern) if (ends := _ends(file)) > self._clock.wall()]
            newest = sorted(ends, reverse=True)[:limit]
            return [read_lines(file.read_bytes(), ends).head for ends, file in newest]

        return await self._in_thread(listing)

    async def aclose(self) -> None:
        """Do nothing: no file is open."""

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except (OSError, msgspec.MsgspecError) as error:
            raise GatewayError(STATE_UNAVAILABLE, "The files of the sessions cannot be used.") from error

    def _create(self, session: Session) -> None:
        self._sweep()
        head, now_wall = session.head, self._clock.wall()
        folder = self._path / _owner(head.tenant)
        folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        if sum(1 for file in folder.glob(f"*{_SUFFIX}") if _ends(file) > now_wall) >= self._limits.sessions_max:
            raise too_many()
        unfinished = folder / f"{head.id}.new"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        try:
            write_all(descriptor, first_line(session))
            os.utime(descriptor, (now_wall, head.expires))
        finally:
            os.close(descriptor)
        unfinished.rename(self._file(head.tenant, head.id))

    @contextmanager
    def _opened(self, file: Path) -> Iterator[int]:
        """Open and lock the file of a session for one step."""
        try:
            descriptor = os.open(file, _EXISTING)
        except FileNotFoundError:
            raise not_found(file.stem) from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink == 0:  # deleted while we waited
                raise not_found(file.stem)
            yield descriptor
        finally:
            os.close(descriptor)

    def _living(self, descriptor: int) -> Session:
        """Return the session in an open file; one that has expired loses its content."""
        ends = os.fstat(descriptor).st_mtime
        session = read_lines(read_all(descriptor), ends)
        if self._clock.wall() < ends:
            return session
        self._empty(descriptor, session, ends)
        raise expired(session.head.id)

    def _touched(self, descriptor: int, session: Session) -> Session:
        now_wall = self._clock.wall()
        ends = now_wall + session.head.ttl_s
        os.utime(descriptor, (now_wall, ends))
        return msgspec.structs.replace(session, head=msgspec.structs.replace(session.head, expires=ends))

    def _empty(self, descriptor: int, session: Session, ends: float) -> None:
        if session.head.size:
            os.ftruncate(descriptor, 0)
            write_all(descriptor, first_line(emptied(session)))
            os.utime(descriptor, (ends, ends))

    def _sweep(self) -> None:
        """Periodically remove the content of expired sessions, and later their files."""
        now, now_wall = self._clock.now(), self._clock.wall()
        if self._swept is not None and now - self._swept < SWEEP_EVERY_S:
            return
        self._swept = now
        for file in self._path.glob(f"*/*{_SUFFIX}"):
            ends = _ends(file)
            if now_wall >= ends + GRACE_S:
                file.unlink(missing_ok=True)
            elif now_wall >= ends:
                with suppress(GatewayError, msgspec.MsgspecError), self._opened(file) as descriptor:
                    self._living(descriptor)

    def _file(self, tenant: str, session_id: str) -> Path:
        return self._path / _owner(tenant) / f"{checked(session_id)}{_SUFFIX}"


def _owner(tenant: str) -> str:
    return hashlib.sha256(tenant.encode()).hexdigest()[:_OWNER_CHARS]


def _ends(file: Path) -> float:
    """Return when the session of a file expires; 0 if the file was deleted meanwhile."""
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return 0.0
