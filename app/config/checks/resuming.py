"""Streams that could be resumed only by chance."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.schema import Settings
from app.config.trees import Loc


def resuming(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find several workers without a Redis: a client that comes back would meet any of them, and each knows its own."""
    workers = settings.server.workers
    if settings.streaming.resume.enabled and workers > 1 and settings.redis.url is None:
        expected = f"false, as server.workers is {workers} and each worker keeps its own streams without a Redis"
        advice = "set redis.url, over which workers and replicas share streams, or use one worker"
        yield ("streaming", "resume", "enabled"), Complaint("true", expected, advice)
