"""Combine the metrics and statistics of all workers of a gateway into one view."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from app.assembly.deps import Deps
from app.core.insight import Insight
from app.main.telemetry import Telemetry
from app.telemetry.bridge import configure_stdlib
from app.telemetry.live.events import Watching
from app.telemetry.live.insight import AllWorkers, OneWorker, Sources, topics
from app.telemetry.live.recent import Recent
from app.telemetry.live.totals import totals_of
from app.telemetry.metrics.collector import render
from app.telemetry.metrics.gathering import METRICS, Alone, Together, shown
from app.telemetry.metrics.on_scrape import OnScrape, foreign, losses
from app.telemetry.metrics.part import Part
from app.telemetry.workers.answering import Answering
from app.telemetry.workers.directory import place_in


class WorkerViews:
    """
    What operators can see: the data of this worker and, where there are several, of all others.

    Args:
        telemetry: The telemetry of this worker.

        deps: Holds the other sources of data.

        more: Parts of the metrics that read values from other objects.

        meeting: The directory in which this worker finds the others; None for a single worker.
    """

    def __init__(self, telemetry: Telemetry, deps: Deps, more: Iterable[Part], meeting: Path | None) -> None:
        self._telemetry = telemetry
        self._deps = deps
        self._place = None if meeting is None else place_in(meeting)
        parts = [*telemetry.parts, *more, OnScrape(losses, telemetry.losses), OnScrape(foreign, telemetry.registry)]
        self._together = None if self._place is None else Together(parts, self._place, deps.clock)
        self._gathering = self._together or Alone(parts)
        recent = Recent(lambda: totals_of(shown(telemetry.parts)), deps.clock)
        watching = Watching(telemetry.listener, deps.clock)
        own_requests = deps.requests is not None and not deps.requests.shared
        self._sources = Sources(
            self._gathering, recent, watching, deps.requests, deps.usage, own_requests, not deps.usage.shared
        )
        self._count_losses()

    @property
    def insight(self) -> Insight:
        """Return the view for the admin API."""
        if self._place is None:
            return OneWorker(self._sources)
        return AllWorkers(self._sources, self._place, self._deps.clock)

    async def exposition(self, accept: str) -> tuple[str, bytes]:
        """Return the content type and body of the whole gateway's metrics, for a scraper with this Accept header."""
        families = await self._gathering.families()
        return await asyncio.to_thread(render, families, accept)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Write the log, record the recent totals and answer the other workers until the context exits."""
        async with AsyncExitStack() as opened:
            opened.callback(self._telemetry.book.close)
            opened.callback(configure_stdlib(self._telemetry.book))
            if self._deps.tracers is not None:
                opened.push_async_callback(asyncio.to_thread, self._deps.tracers.close)
            if self._place is not None and self._together is not None:
                answers = {METRICS: self._together.answer, **topics(self._sources)}
                await opened.enter_async_context(Answering(self._place, answers))
                await opened.enter_async_context(self._together)
            await opened.enter_async_context(self._sources.recent)
            yield

    def _count_losses(self) -> None:
        losses = self._telemetry.losses
        if self._together is not None:
            losses["counts"] = self._together.lost
        if (tracers := self._deps.tracers) is not None:
            losses["spans"] = lambda: tracers.lost
        if (requests := self._deps.requests) is not None:
            losses["request_log"] = lambda: requests.lost
