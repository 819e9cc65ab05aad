"""What the administration may look at: this worker and, where there are several, all others with it."""

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

REQUESTS: Final = "requests"  # the topics under which workers ask each other for what each keeps for itself
USAGE: Final = "usage"


class Sources(msgspec.Struct, frozen=True):
    """
    What one worker knows.

    `gathering` knows the metrics of all. `own_requests` and `own_usage` say that every worker keeps its own request log
    and sums of what was used, which others can only ask it for.
    """

    gathering: Gathering
    recent: Recent
    watching: Watching
    requests: RequestLog | None
    usage: UsageReader
    own_requests: bool
    own_usage: bool


class OneWorker:
    """The insight into a gateway with one worker; see `app.core.insight.Insight`."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    @property
    def requests(self) -> RequestLog | None:
        """Return the request log."""
        return self._sources.requests

    @property
    def usage(self) -> UsageReader:
        """Return who knows what was used."""
        return self._sources.usage

    async def stats(self) -> Figures:
        """Return the figures of this moment."""
        return figures(await self._sources.gathering.families(), self._sources.recent.windows())

    def events(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """Yield what happens from now on."""
        return self._sources.watching.here(query)


class AllWorkers:
    """
    The insight into a gateway with several workers, as one of them has it; see `app.core.insight.Insight`.

    Args:
        sources: What this worker knows.

        place: Where the others are found.

        clock: Says when to look for others.
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
        """Return who knows what all workers used."""
        return self._usage

    async def stats(self) -> Figures:
        """Return the figures of this moment, of all workers that answer."""
        families = await self._sources.gathering.families()
        windows = self._sources.recent.windows()
        heard = await ask_all(self._place, RECENT)
        for answer in heard.answers.values():
            theirs = msgspec.msgpack.decode(answer, type=list[Window])
            windows = [mine + other for mine, other in zip(windows, theirs, strict=True)]
        return figures(families, windows)

    def events(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """Yield what happens from now on in any of them."""
        return self._watching.everywhere(query)


def topics(sources: Sources) -> Mapping[str, Topic]:
    """Return what other workers may ask this one."""

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
        """Ask all, and put what they have in order."""
        heard = await ask_all(self._place, REQUESTS, msgspec.msgpack.encode(query))
        found = await self._own.find(query)
        for answer in heard.answers.values():
            found += msgspec.msgpack.decode(answer, type=list[RequestEntry])
        return sorted(found, key=lambda entry: -entry.at)[: query.limit]


class _Usage:
    """What all workers used, of which each adds up its own part."""

    def __init__(self, own: UsageReader, place: Place) -> None:
        self._own = own
        self._place = place

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Ask all; what several of them have a row of comes several times."""
        heard = await ask_all(self._place, USAGE, msgspec.msgpack.encode((first_day, last_day)))
        found = await self._own.read(first_day, last_day)
        for answer in heard.answers.values():
            found += msgspec.msgpack.decode(answer, type=list[tuple[UsageKey, UsageRow]])
        return found
