"""Streams that could be resumed only by chance."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.schema import Settings
from app.config.trees import Loc


def resuming(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find several workers: a client that comes back would meet any of them, and each knows its own streams only."""
    workers = settings.server.workers
    if settings.streaming.resume.enabled and workers > 1:
        expected = f"false, as server.workers is {workers} and each worker keeps its own streams"
        advice = "use one worker, and several replicas behind a load balancer that keeps clients apart"
        yield ("streaming", "resume", "enabled"), Complaint("true", expected, advice)
