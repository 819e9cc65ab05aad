"""The data behind the admin API's live views: of this worker or, with several workers, of all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Final

import msgspec

from app.core.clock import Clock
from app.core.insight import Event, EventsQuery, Figures
from app.core.request_log import RequestEntry, RequestLog, RequestQuery
from app.core.spending.ledger import UsageKey, UsageReader, UsageRow
from app.telemetry.live.events import EVENTS, Watching, WatchingAll
from app.telemetry.live.recent import RECENT, Recent, Window
from app.telemetry.live.stats import figures
from app.telemetry.metrics.gathering import Gathering
from app.telemetry.workers.answering import Topic
from app.telemetry.workers.asking import ask_all
from app.telemetry.workers.directory import Place

REQUESTS: Final = "requests"  # topics for what each worker keeps in its own memory
USAGE: Final = "usage"


class Sources(msgspec.Struct, frozen=True):
    """
    What one worker can report.

    `gathering` collects the metrics of all workers. `own_requests` and `own_usage`: every worker has a request log, or
    usage totals, of its own in memory, so the others have to be asked for theirs.
    """

    gathering: Gathering
    recent: Recent
    watching: Watching
    requests: RequestLog | None
    usage: UsageReader
    own_requests: bool
    own_usage: bool


class OneWorker:
    """Insight into a gateway with one worker; see `app.core.insight.Insight`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    @property
    def requests(self) -> RequestLog | None:
        """Return the request log."""
        return self._sources.requests

    @property
    def usage(self) -> UsageReader:
        """Return the reader of usage totals."""
        return self._sources.usage

    async def stats(self) -> Figures:
        """Return the current figures."""
        return figures(await self._sources.gathering.families(), self._sources.recent.windows())

    def events(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """Yield events from now on."""
        return self._sources.watching.here(query)


class AllWorkers:
    """
    Insight into a gateway with several workers, from one of them; see `app.core.insight.Insight`.

    Args:
        sources: What this worker can report.

        place: Where the other workers are found.

        clock: Paces the search for new workers.
    """

    def __init__(self, sources: Sources, place: Place, clock: Clock) -> None:
        self._sources = sources
        self._place = place
        self._watching = WatchingAll(sources.watching, place, clock)
        self._requests = sources.requests
        if sources.requests is not None and sources.own_requests:
            self._requests = _Requests(sources.requests, place)
        self._usage = _Usage(sources.usage, place) if sources.own_usage else sources.usage

    @property
    def requests(self) -> RequestLog | None:
        """Return the request log of all workers."""
        return self._requests

    @property
    def usage(self) -> UsageReader:
        """Return the reader of the usage totals of all workers."""
        return self._usage

    async def stats(self) -> Figures:
        """Return the current figures of all workers that answer."""
        families = await self._sources.gathering.families()
        windows = self._sources.recent.windows()
        heard = await ask_all(self._place, RECENT)
        for answer in heard.answers.values():
            theirs = msgspec.msgpack.decode(answer, type=list[Window])
            windows = [mine + other for mine, other in zip(windows, theirs, strict=True)]
        return figures(families, windows)

    def events(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """Yield events of all workers from now on."""
        return self._watching.everywhere(query)


def topics(sources: Sources) -> Mapping[str, Topic]:
    """Return the questions that this worker answers for the others."""

    async def requests(about: bytes) -> AsyncGenerator[bytes, None]:
        query = msgspec.msgpack.decode(about, type=RequestQuery)
        yield msgspec.msgpack.encode([] if sources.requests is None else await sources.requests.find(query))

    async def usage(about: bytes) -> AsyncGenerator[bytes, None]:
        yield msgspec.msgpack.encode(await sources.usage.read(*msgspec.msgpack.decode(about, type=tuple[str, str])))

    return {RECENT: sources.recent.answer, EVENTS: sources.watching.answer, REQUESTS: requests, USAGE: usage}


class _Requests:
    """The request logs of all workers as one."""

    def __init__(self, own: RequestLog, place: Place) -> None:
        self._own = own
        self._place = place

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """Ask all workers, and merge their entries, newest first."""
        heard = await ask_all(self._place, REQUESTS, msgspec.msgpack.encode(query))
        found = await self._own.find(query)
        for answer in heard.answers.values():
            found += msgspec.msgpack.decode(answer, type=list[RequestEntry])
        return sorted(found, key=lambda entry: -entry.at)[: query.limit]


class _Usage:
    """The usage totals of all workers, each of which counts its own calls."""

    def __init__(self, own: UsageReader, place: Place) -> None:
        self._own = own
        self._place = place

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Ask all workers; a key that several of them counted has several rows."""
        heard = await ask_all(self._place, USAGE, msgspec.msgpack.encode((first_day, last_day)))
        found = await self._own.read(first_day, last_day)
        for answer in heard.answers.values():
            found += msgspec.msgpack.decode(answer, type=list[tuple[UsageKey, UsageRow]])
        return found
