"""One replica is told to read its configuration again, and so do the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from app.core.signals import Signal
from app.state.link.redis import LinkOptions, RedisLink
from app.state.replicas import SharedReplicas
from tests.state.sharing import until
from tests.support.redis_server import RedisServer

OPTIONS = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.02)


class Process:
    """What a process has of it: `rereads` counts how often it was made to look."""

    def __init__(self, url: str, prefix: str) -> None:
        told: list[Signal] = []
        self.link = RedisLink(url, msgspec.structs.replace(OPTIONS, key_prefix=prefix), lambda: 0.0, told.append)
        self.replicas = SharedReplicas(self.link)
        self.rereads = 0
        self.replicas.listen(self._reread)

    def _reread(self) -> None:
        self.rereads += 1


@asynccontextmanager
async def processes(server: RedisServer, prefix: str) -> AsyncIterator[tuple[Process, Process]]:
    """Run two."""
    one, other = Process(server.url, prefix), Process(server.url, prefix)
    async with one.link, other.link:
        yield one, other


async def test_the_others_look(server: RedisServer) -> None:
    """A wish reaches every other process within a beat, once, and not the one that has it."""
    async with processes(server, "told-1") as (one, other):
        one.replicas.reread()
        await until(lambda: other.rereads)
        await asyncio.sleep(0.1)  # it would be told again with one of the next beats

        assert (one.rereads, other.rereads) == (0, 1)


async def test_what_was_wished_before_is_old(server: RedisServer) -> None:
    """Who starts later has read the newest configuration anyway."""
    async with processes(server, "told-2") as (one, _):
        one.replicas.reread()
        await asyncio.sleep(0.1)

    async with processes(server, "told-2") as (again, other):
        await asyncio.sleep(0.1)
        assert (again.rereads, other.rereads) == (0, 0)


async def test_without_redis_nobody_is_told(server: RedisServer) -> None:
    """A wish while Redis is gone is lost, and raises nothing."""
    async with processes(server, "told-3") as (one, other):
        one.link.up = False

        one.replicas.reread()
        await asyncio.sleep(0.1)

        assert (one.rereads, other.rereads) == (0, 0)
