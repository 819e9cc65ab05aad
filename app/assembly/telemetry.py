"""The listeners of one worker process, and how the workers of a gateway show what they know as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from app import __version__
from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.clock import Clock
from app.core.insight import Insight
from app.core.signals import Listener
from app.telemetry.bridge import configure_stdlib
from app.telemetry.fanout import FanOut
from app.telemetry.live.events import Watching
from app.telemetry.live.insight import AllWorkers, OneWorker, Sources, topics
from app.telemetry.live.recent import Recent
from app.telemetry.live.totals import totals_of
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.asked import Build, Losses, ProviderKeys
from app.telemetry.metrics.collector import render
from app.telemetry.metrics.foreign import Foreign, foreign_registry
from app.telemetry.metrics.gathering import METRICS, Alone, Together, shown
from app.telemetry.metrics.part import Part
from app.telemetry.output import standard_output
from app.telemetry.workers.answering import Answering
from app.telemetry.workers.directory import place_in


class Telemetry:
    """
    What a worker process tells: its log and its counters.

    `registry` is for what others count with prometheus_client.
    """

    def __init__(self, settings: Settings, clock: Clock, listeners: Iterable[Listener]) -> None:
        given = settings.logging
        self.book = LogBook(standard_output(), clock, level=given.level, line_format=given.format)
        self.metrics = Metrics()
        self.listener = FanOut([self.metrics, self.book, *listeners])
        self.registry = foreign_registry()
        self.losses: dict[str, Callable[[], int]] = {
            "logs": lambda: self.book.dropped,
            "fanout": lambda: self.listener.errors,
        }

    def loses(self, part: str, total: Callable[[], int]) -> None:
        """Show `total`, which counts what a part of the telemetry could not deliver; before it is shown."""
        self.losses[part] = total

    def applied(self, settings: Settings) -> None:
        """Follow newer settings."""
        self.book.set_level(settings.logging.level)


class Lookout:
    """
    Where operators look from: over this worker and, where there are several, over all others with it.

    Args:
        telemetry: What this worker tells.

        deps: What else can be asked.

        settings: Those of the start.

        directory: Where this worker finds the others; None for the only one.
    """

    def __init__(self, telemetry: Telemetry, deps: Deps, settings: Settings, directory: Path | None) -> None:
        self._telemetry = telemetry
        self._deps = deps
        self._place = None if directory is None else place_in(directory)
        parts = _parts(telemetry, deps)
        self._together = None if self._place is None else Together(parts, self._place, deps.clock)
        if self._together is not None:
            telemetry.loses("counts", self._together.lost)
        self._gathering = self._together or Alone(parts)
        recent = Recent(lambda: totals_of(shown(telemetry.metrics.parts)), deps.clock)
        watching = Watching(telemetry.listener, deps.clock)
        self._sources = Sources(self._gathering, recent, watching, deps.requests)
        self._each_its_own = settings.request_log.store == "memory"

    @property
    def insight(self) -> Insight:
        """Return what the administration may look at."""
        if self._place is None:
            return OneWorker(self._sources)
        return AllWorkers(self._sources, self._place, self._deps.clock, asks_for_requests=self._each_its_own)

    async def exposition(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body of the metrics of the whole gateway, for a scraper that sent `accept`."""
        families = await self._gathering.families()
        return await asyncio.to_thread(render, families, accept)

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Write the log, keep what is to be kept, and answer the other workers, until this context is left."""
        async with AsyncExitStack() as opened:
            opened.callback(self._telemetry.book.close)
            opened.callback(configure_stdlib(self._telemetry.book))
            if self._deps.tracers is not None:
                opened.push_async_callback(asyncio.to_thread, self._deps.tracers.close)
            if self._place is not None and self._together is not None:
                asked = {METRICS: self._together.answer, **topics(self._sources)}
                await opened.enter_async_context(Answering(self._place, asked))
                await opened.enter_async_context(self._together)
            await opened.enter_async_context(self._sources.recent)
            yield


def _parts(telemetry: Telemetry, deps: Deps) -> list[Part]:
    """Return all parts of the metrics, in the order in which they are shown."""
    if (tracers := deps.tracers) is not None:
        telemetry.loses("spans", lambda: tracers.lost)
    if (requests := deps.requests) is not None:
        telemetry.loses("request_log", lambda: requests.lost)
    own = (Losses(telemetry.losses), Foreign(telemetry.registry))
    return [Build(__version__), *telemetry.metrics.parts, *_asked(deps), *own]


def _asked(deps: Deps) -> list[Part]:
    """Return the parts that ask a feature for its numbers when they are shown."""
    return [ProviderKeys(lambda: deps.keys.counts(deps.clock.now()))]
