"""
The live stream of events behind `/admin/events`. Costs nothing while nobody watches.

A watcher is a listener for as long as it watches. It gets the events of the log, and those signals that the log omits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, suppress
from typing import Final

import msgspec

from app.core.clock import Clock
from app.core.decision_trace import Hearing, facts_of, name_of
from app.core.insight import Event, EventsQuery
from app.core.signals import DrainStarted, Signal
from app.telemetry.event_spec import fields_of
from app.telemetry.events import SILENT, events
from app.telemetry.rendering import iso
from app.telemetry.workers.asking import frames
from app.telemetry.workers.directory import Place
from app.telemetry.workers.wire import Question

EVENTS: Final = "events"  # the topic of questions between workers
WAITING_MAX: Final = 1000  # signals of one watcher
LOOK_EVERY_S: Final = 2.0  # interval of the search for new workers


class Watching:
    """The events of this worker."""

    def __init__(self, hearing: Hearing, clock: Clock) -> None:
        self._hearing = hearing
        self._clock = clock

    async def here(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """
        Yield the events of this process until it drains.

        An event `events_missed` counts those that were dropped because the watcher was too slow.
        """
        watcher = _Watcher(query, self._clock)
        self._hearing.add(watcher)
        try:
            while not watcher.over:
                for event in await watcher.next():
                    yield event
        finally:
            self._hearing.remove(watcher)

    async def answer(self, about: bytes) -> AsyncGenerator[bytes, None]:
        """Yield the events, encoded, for a watcher at another worker."""
        async with aclosing(self.here(msgspec.msgpack.decode(about, type=EventsQuery))) as found:
            async for event in found:
                yield msgspec.msgpack.encode(event)


class WatchingAll:
    """The events of all workers."""

    def __init__(self, watching: Watching, place: Place, clock: Clock) -> None:
        self._watching = watching
        self._place = place
        self._clock = clock

    async def everywhere(self, query: EventsQuery) -> AsyncGenerator[Event, None]:
        """Yield the events of all workers, including those that start later."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue(WAITING_MAX)
        tasks: dict[str, asyncio.Task[None]] = {}
        own = asyncio.create_task(self._own(query, queue))
        looking = asyncio.create_task(self._look(query, queue, tasks))
        try:
            while (event := await queue.get()) is not None:
                yield event
        finally:
            all_tasks = [own, looking, *tasks.values()]
            for task in all_tasks:
                task.cancel()
            await asyncio.wait(all_tasks)

    async def _own(self, query: EventsQuery, queue: asyncio.Queue[Event | None]) -> None:
        async with aclosing(self._watching.here(query)) as found:
            async for event in found:
                await queue.put(event)
        await queue.put(None)

    async def _look(
        self, query: EventsQuery, queue: asyncio.Queue[Event | None], tasks: dict[str, asyncio.Task[None]]
    ) -> None:
        while True:
            for name in [name for name, task in tasks.items() if task.done()]:
                del tasks[name]
            for name in self._place.others():
                if name not in tasks:
                    tasks[name] = asyncio.create_task(self._other(name, query, queue))
            await self._clock.sleep(LOOK_EVERY_S)

    async def _other(self, name: str, query: EventsQuery, queue: asyncio.Queue[Event | None]) -> None:
        question = Question(EVENTS, msgspec.msgpack.encode(query))
        with suppress(OSError):  # the worker ended; `_look` finds the one that replaces it
            async with aclosing(frames(self._place, name, question)) as found:
                async for frame in found:
                    await queue.put(msgspec.msgpack.decode(frame, type=Event))


class _Watcher:
    """A listener with a bounded queue of signals; `over` once the process drains."""

    def __init__(self, query: EventsQuery, clock: Clock) -> None:
        self._query = query
        self._clock = clock
        self._heard: deque[tuple[float, Signal]] = deque()
        self._missed = 0
        self._news = asyncio.Event()
        self.over = False

    def __call__(self, signal: Signal) -> None:
        if len(self._heard) < WAITING_MAX:
            self._heard.append((self._clock.wall(), signal))
        else:
            self._missed += 1
        if isinstance(signal, DrainStarted):
            self.over = True
        self._news.set()

    async def next(self) -> list[Event]:
        """Wait for signals, and return their events."""
        await self._news.wait()
        self._news.clear()
        heard, self._heard = self._heard, deque()
        found = [event for wall_s, signal in heard for event in _told(wall_s, signal, self._query)]
        if self._missed:
            body = msgspec.json.encode({"timestamp": iso(self._clock.wall()), "missed": self._missed})
            found.append(Event("events_missed", body))
            self._missed = 0
        return found


def _told(wall_s: float, signal: Signal, query: EventsQuery) -> Iterator[Event]:
    found = [(event[0], fields_of(event)) for event in events(signal)]
    if type(signal) in SILENT:
        found = [(name_of(signal), {"request_id": getattr(signal, "request_id", None), **facts_of(signal)})]
    for name, fields in found:
        if query.admits(name, fields.get("request_id")):
            told = {key: value for key, value in fields.items() if value not in (None, "")}
            yield Event(name, msgspec.json.encode({"timestamp": iso(wall_s), **told}))
