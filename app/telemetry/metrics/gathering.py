"""The metrics of the whole gateway, whichever of its workers is asked."""

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

METRICS: Final = "metrics"  # the topic under which workers ask each other
KEEP_EVERY_S: Final = 2.0  # what a worker that is killed has counted since then is lost


class Gathering(Protocol):
    """Whoever knows the metrics of the gateway."""

    async def families(self) -> Sequence[Family]:
        """Return every family with its present values."""
        ...


class Alone:
    """The only worker: its metrics are those of the gateway, and end with it."""

    def __init__(self, parts: Iterable[Part]) -> None:
        self._parts = tuple(parts)

    async def families(self) -> Sequence[Family]:
        """Return what the parts show. Takes milliseconds, in a thread."""
        return await asyncio.to_thread(shown, self._parts)


class Together(BackgroundWork):
    """
    One of several workers: asks the others, and keeps what it counts where it outlives this process.

    A context, which lasts as long as the worker serves.
    """

    def __init__(self, parts: Iterable[Part], place: Place, clock: Clock) -> None:
        self._parts = tuple(parts)
        self._place = place
        self._clock = clock
        self._kept = KeptCounts(place.directory)
        self._lock = asyncio.Lock()  # an older reading must not be written over a newer one
        self._decoder = msgspec.msgpack.Decoder(list[Family])

    def lost(self) -> int:
        """Return how often the counts could not be kept."""
        return self._kept.lost

    async def families(self) -> Sequence[Family]:
        """Return the sum of all workers, the dead included; one that is too busy counts with what it last wrote."""
        own, heard = await asyncio.gather(self._told(), ask_all(self._place, METRICS))
        return await asyncio.to_thread(self._sum, own, heard)

    async def answer(self, _about: bytes) -> AsyncGenerator[bytes, None]:
        """Answer another worker that asks."""
        yield await self._told()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep the last counts."""
        await super().__aexit__(kind, error, trace)
        await self._told()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(KEEP_EVERY_S)
            await self._told()

    async def _told(self) -> bytes:
        """Return this worker's families as they are told to others, written down before."""
        async with self._lock:
            return await asyncio.to_thread(self._write)

    def _write(self) -> bytes:
        content = encoded(shown(self._parts))
        self._kept.write(self._place.name, content)
        return content

    def _sum(self, own: bytes, heard: Heard) -> Sequence[Family]:
        silent = {name for name, why in heard.missing.items() if why is Missing.SILENT}
        retired = self._kept.retire(frozenset({self._place.name, *heard.answers, *silent}))
        told = [content for name, content in heard.answers.items() if name not in retired.names]
        kept = [self._kept.read(name) for name in sorted(silent - retired.names)]
        return merged([*map(self._decoder.decode, (own, *told)), *kept, retired.families])


def shown(parts: Iterable[Part]) -> list[Family]:
    """Return the families of all parts, with their present values; may be called from any thread."""
    return [family for part in parts for family in part.families()]
