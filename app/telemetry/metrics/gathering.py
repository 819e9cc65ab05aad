"""Collects the metrics of the whole gateway, whichever worker is scraped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from types import TracebackType
from typing import Final, Protocol

import msgspec

from app.core.background import BackgroundWork
from app.core.clock import Clock
from app.telemetry.metrics.families import Family
from app.telemetry.metrics.merging import merged
from app.telemetry.metrics.part import Part
from app.telemetry.metrics.retired import KeptCounts, encoded
from app.telemetry.workers.asking import Heard, Missing, ask_all
from app.telemetry.workers.directory import Place

METRICS: Final = "metrics"  # the topic of questions between workers
KEEP_EVERY_S: Final = 2.0  # a killed worker loses what it counted since the last time


class Gathering(Protocol):
    """Collects the metrics of the gateway."""

    async def families(self) -> Sequence[Family]:
        """Return every family with its current values."""
        ...


class Alone:
    """The only worker: its metrics are those of the gateway."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(parts)

    async def families(self) -> Sequence[Family]:
        """Return the families of all parts. Takes milliseconds, in a thread."""
        return await asyncio.to_thread(shown, self._parts)


class Together(BackgroundWork):
    """
    One of several workers: asks the others, and saves its own counts where they outlive this process.

    A context, open while the worker serves.
    """

    def __init__(self, parts: Iterable[Part], place: Place, clock: Clock) -> None:
        self._parts = tuple(parts)
        self._place = place
        self._clock = clock
        self._kept = KeptCounts(place.directory)
        self._lock = asyncio.Lock()  # an older snapshot must not overwrite a newer one
        self._decoder = msgspec.msgpack.Decoder(list[Family])

    def lost(self) -> int:
        """Return how often the counts could not be saved."""
        return self._kept.lost

    async def families(self) -> Sequence[Family]:
        """Return the sum of all workers, dead ones included; a worker too busy to answer counts as it last saved."""
        own, heard = await asyncio.gather(self._saved(), ask_all(self._place, METRICS))
        return await asyncio.to_thread(self._sum, own, heard)

    async def answer(self, _about: bytes) -> AsyncGenerator[bytes, None]:
        """Answer another worker."""
        yield await self._saved()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Save the last counts."""
        await super().__aexit__(kind, error, trace)
        await self._saved()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(KEEP_EVERY_S)
            await self._saved()

    async def _saved(self) -> bytes:
        """Save this worker's families, and return them encoded for the others."""
        async with self._lock:
            return await asyncio.to_thread(self._write)

    def _write(self) -> bytes:
        content = encoded(shown(self._parts))
        self._kept.write(self._place.name, content)
        return content

    def _sum(self, own: bytes, heard: Heard) -> Sequence[Family]:
        silent = {name for name, why in heard.missing.items() if why is Missing.SILENT}
        retired = self._kept.retire(frozenset({self._place.name, *heard.answers, *silent}))
        answers = [content for name, content in heard.answers.items() if name not in retired.names]
        kept = [self._kept.read(name) for name in sorted(silent - retired.names)]
        return merged([*map(self._decoder.decode, (own, *answers)), *kept, retired.families])


def shown(parts: Iterable[Part]) -> list[Family]:
    """Return the families of all parts, with their current values; safe in any thread."""
    return [family for part in parts for family in part.families()]
