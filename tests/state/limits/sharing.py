"""Replicas inside one process that share rate limits: each with a link of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from app.core.clock import SystemClock
from app.core.errors import GatewayError
from app.core.rules import Ask, Decision
from app.core.signals import Signal
from app.state.limits.redis import RedisLimits
from app.state.limits.sharing import SharedLimits
from app.state.link import Fail
from app.state.link.redis import LinkOptions, RedisLink
from tests.support.redis_server import RedisServer

OPTIONS = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.02)  # a busy machine must not look like a slow Redis
QUICK = LinkOptions(
    timeout_s=0.5, connect_s=5.0, beat_s=0.02
)  # for a Redis that hangs; one that is gone is soon missed
RARE = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=60.0)


class Clock(SystemClock):
    """The machine's time; a pause lasts at least as long as somebody holds `pausing`."""

    def __init__(self) -> None:
        self.pausing = asyncio.Lock()
        self.pauses = 0

    async def sleep(self, seconds: float) -> None:
        """Wait until nobody holds the lock."""
        self.pauses += 1
        async with self.pausing:
            await super().sleep(seconds)


class Replica:
    """What one gateway has of rate limits."""

    def __init__(self, url: str, prefix: str, fail: Fail, options: LinkOptions, replicas: int) -> None:
        self.clock = Clock()
        self.told: list[Signal] = []
        chance = Random()  # noqa: S311 - a name, no secret
        self.link = RedisLink(url, options, chance.random, self.told.append)
        store = RedisLimits(self.link.submit, prefix, f"{chance.getrandbits(64):x}")
        self.limits = SharedLimits(store, self.link, self.clock, fail, replicas)

    async def ask(self, asked: Ask) -> Decision:
        """Ask for everything."""
        return await self.limits.acquire(asked)

    async def say(self, asked: Ask) -> str:
        """Ask, and return `yes`, `no` or the code of the failure."""
        try:
            return "yes" if (await self.ask(asked)).admitted else "no"
        except GatewayError as error:
            return error.kind.code


@asynccontextmanager
async def replica(
    url: str, prefix: str, options: LinkOptions = OPTIONS, *, fail: Fail = "local", replicas: int = 1
) -> AsyncIterator[Replica]:
    """Run a replica."""
    found = Replica(url, prefix, fail, options, replicas)
    async with found.link:
        yield found


def scripts_run(server: RedisServer) -> int:
    """Return how many scripts the server has run."""
    stats = server.do("INFO", "commandstats").get("cmdstat_evalsha", {"calls": 0})
    return int(stats["calls"])
