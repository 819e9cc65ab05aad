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
from app.core.signals import Listener
from app.telemetry.bridge import configure_stdlib
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.asked import Build, Losses, ProviderKeys
from app.telemetry.metrics.collector import render
from app.telemetry.metrics.foreign import Foreign, foreign_registry
from app.telemetry.metrics.gathering import METRICS, Alone, Gathering, Together
from app.telemetry.metrics.part import Part
from app.telemetry.output import standard_output
from app.telemetry.workers.answering import Answering
from app.telemetry.workers.directory import place_in


class Telemetry:
    """
    What a worker process says about itself.

    Args:
        settings: Those of the start.

        clock: Source of the time.

        listeners: Who else listens to the signals.

        directory: Where this worker finds the others; None for the only one.
    """

    def __init__(self, settings: Settings, clock: Clock, listeners: Iterable[Listener], directory: Path | None) -> None:
        self._clock = clock
        self._place = None if directory is None else place_in(directory)
        self._metrics = Metrics()
        self._book = LogBook(
            standard_output(), clock, level=settings.logging.level, line_format=settings.logging.format
        )
        self.listener = FanOut([self._metrics, self._book, *listeners])
        self.registry = foreign_registry()
        self._gathering: Gathering = Alone(())
        self._losses: dict[str, Callable[[], int]] = {
            "logs": lambda: self._book.dropped,
            "fanout": lambda: self.listener.errors,
            "counts": lambda: self._gathering.unkept,
        }

    def loses(self, part: str, total: Callable[[], int]) -> None:
        """Show `total`, which counts what a part of the telemetry could not deliver."""
        self._losses[part] = total

    def applied(self, settings: Settings) -> None:
        """Follow newer settings."""
        self._book.set_level(settings.logging.level)

    @asynccontextmanager
    async def serving(self, deps: Deps) -> AsyncGenerator[None]:
        """Write the log, and answer the other workers, until this context is left."""
        async with AsyncExitStack() as opened:
            opened.callback(self._book.close)
            opened.callback(configure_stdlib(self._book))
            if (tracers := deps.tracers) is not None:
                self.loses("spans", lambda: tracers.lost)
                opened.push_async_callback(asyncio.to_thread, tracers.close)
            parts = self._parts(deps)
            if self._place is None:
                self._gathering = Alone(parts)
            else:
                self._gathering = together = Together(parts, self._place, self._clock)
                await opened.enter_async_context(Answering(self._place, {METRICS: together.answer}))
                await opened.enter_async_context(together)
            yield

    async def exposition(self, accept: str) -> tuple[str, bytes]:
        """Return content type and body of the metrics of the whole gateway, for a scraper that sent `accept`."""
        families = await self._gathering.families()
        return await asyncio.to_thread(render, families, accept)

    def _parts(self, deps: Deps) -> list[Part]:
        """Return all parts of the metrics, in the order in which they are shown."""
        own = (Losses(self._losses), Foreign(self.registry))
        return [Build(__version__), *self._metrics.parts, *_asked(deps), *own]


def _asked(deps: Deps) -> list[Part]:
    """Return the parts that ask a feature for its numbers when they are shown."""
    return [ProviderKeys(lambda: deps.keys.counts(deps.clock.now()))]
