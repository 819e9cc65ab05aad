"""Replicas inside one process, which share answers through one real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.core.caching.broadcast import Broadcast, BroadcastBounds
from app.core.caching.ports import Tally
from app.core.caching.single_flight import Flight, Flights
from app.core.caching.stored import Origin, Stored
from app.core.call import Target
from app.core.clock import SystemClock
from app.core.stream import Batch
from app.state.answers.memory import MemoryShelf, ShelfBounds
from app.state.answers.redis import RedisAnswers
from app.state.answers.sharing import ReplicatedAnswers, SharingOptions
from app.state.link.redis import LinkOptions, RedisLink
from tests.core.caching.making import answer
from tests.support.redis_server import RedisServer

ORIGIN = Origin(Target("acme", "small"), 1, ("seed",))
LINK = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.02)  # a busy machine must not look like a slow Redis
KEY = "chat:fast:open:" + "ab" * 32
OTHER = "chat:slow:open:" + "cd" * 32


class Replica:
    """What one gateway has of the cache, without its stages."""

    def __init__(self, url: str, prefix: str, options: SharingOptions, link: LinkOptions) -> None:
        clock = SystemClock()
        self.link = RedisLink(url, link, lambda: 0.0, lambda _signal: None)
        self.flights = Flights()
        self.store = RedisAnswers(self.link.submit, prefix)
        self.answers = ReplicatedAnswers(self.store, self.link, options, self.flights, clock)
        self.shelf = MemoryShelf(ShelfBounds(100, 10_000_000, "lru"), clock)
        self.tally = Tally()
        self.answers.watch(self.shelf, self.tally)


@asynccontextmanager
async def replica(
    server: RedisServer,
    prefix: str,
    name: str = "one",
    link: LinkOptions = LINK,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[Replica]:
    """Run a replica; `options` are those of sharing."""
    sharing = {"copies": True, "compress_min_bytes": 1024, "fail": "local", "replica": name, **options}
    found = Replica(server.url, prefix, SharingOptions(**sharing), link)
    async with found.link:
        try:
            yield found
        finally:
            await found.flights.aclose()


@asynccontextmanager
async def pair(
    server: RedisServer,
    prefix: str,
    link: LinkOptions = LINK,
    **options: Any,  # noqa: ANN401
) -> AsyncIterator[tuple[Replica, Replica]]:
    """Run two replicas."""
    async with (
        replica(server, prefix, "one", link, **options) as one,
        replica(server, prefix, "two", link, **options) as two,
    ):
        yield one, two


def kept(text: str = "hello", *, age_s: float = 0.0, fresh_s: float = 60.0, **parts: Any) -> Stored:  # noqa: ANN401
    """Return an answer that was stored a while ago."""
    born_s = SystemClock().wall() - age_s
    fields: dict[str, Any] = {"model": "fast", "origin": ORIGIN, "kept_s": 600.0, **parts}
    return Stored(answer(text), born_s=born_s, fresh_s=fresh_s, **fields)


def flight() -> Flight:
    """Return a flight with somebody aboard."""
    found = Flight(1e12, patient=True)
    found.board()
    return found


def broadcast(answer_max_bytes: int = 100_000) -> Broadcast:
    """Return a broadcast."""
    return Broadcast(ORIGIN, BroadcastBounds(65_536, 1_000_000, answer_max_bytes))


class Tap:
    """A source of batches that a test opens and closes."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Batch | Exception | None] = asyncio.Queue()

    def put(self, batch: Batch | Exception | None) -> None:
        """Let the next batch come, the end (None), or a failure."""
        self._queue.put_nowait(batch)

    async def __aiter__(self) -> AsyncIterator[Batch]:
        """Iterate over what comes."""
        while (batch := await self._queue.get()) is not None:
            if isinstance(batch, Exception):
                raise batch
            yield batch
