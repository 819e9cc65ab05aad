"""Stores of sessions that lack the place where they keep them."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import REDIS_URL, Complaint, Names
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def session_store(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find stores in files without a path, and one in Redis without a Redis."""
    given = settings.sessions
    if given.store in {"file", "sqlite"} and not given.path:
        what = "a folder" if given.store == "file" else "a file"
        yield ("sessions", "path"), Complaint(MISSING, f"{what}, as sessions.store is {given.store}", "add path")
    if given.store == "redis" and settings.redis.url is None:
        expected = "memory, file or sqlite, as redis.url is null"
        yield ("sessions", "store"), Complaint("'redis'", expected, "set redis.url, or choose another store", REDIS_URL)
