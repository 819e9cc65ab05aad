"""A request log without a place."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import REDIS_URL, Complaint, Names
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def request_log(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find a store that has nowhere to keep anything."""
    given = settings.request_log
    if not given.enabled:
        return
    if given.store == "sqlite" and not given.path:
        yield ("request_log", "path"), Complaint(MISSING, "a file: store sqlite keeps the log in one", "name the file")
    if given.store == "redis" and settings.redis.url is None:
        advice = "set redis.url, or keep the log in memory or sqlite"
        expected = "another store, as redis.url is null"
        yield ("request_log", "store"), Complaint("'redis'", expected, advice, REDIS_URL)
