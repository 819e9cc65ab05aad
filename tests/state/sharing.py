"""Replicas inside one process: each with a link, a mirror and a log of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal

import msgspec

from app.core.call import Target
from app.core.circuits import CircuitPolicy, CircuitState, Verdict
from app.core.clock import SystemClock
from app.core.errors import GatewayError
from app.core.signals import CircuitChanged, Signal, StateDegraded
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means
from app.state.circuits.sharing import SharedCircuits
from app.state.link.redis import LinkOptions, RedisLink

TARGET = Target("acme", "small")
POLICY = CircuitPolicy(
    failure_threshold=3, window_s=60.0, failure_ratio=0.5, open_s=60.0, open_max_s=60.0, half_open_max_calls=1
)
BRIEF = msgspec.structs.replace(POLICY, open_s=0.001, open_max_s=0.001)
HANGS_S = 60.0  # whoever waits for a frozen Redis waits for ever
OPTIONS = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.02)  # a busy machine must not look like a slow Redis


class Replica:
    """What one gateway has, without its edge."""

    def __init__(self, url: str, prefix: str, fail: Literal["local", "open", "closed"], link: LinkOptions) -> None:
        self.told: list[Signal] = []
        means = Means(SystemClock(), lambda: 0.0, Announcer(self.told.append))
        self.link = RedisLink(url, msgspec.structs.replace(link, key_prefix=prefix), means.chance, self.told.append)
        self.local = LocalCircuits(means)
        self.circuits = SharedCircuits(self.link, self.local, fail)

    async def ask(self, verdict: Verdict = Verdict.OK, policy: CircuitPolicy = POLICY) -> str:
        """Make one call that ends as told, and return `passed` or the code of the refusal."""
        try:
            ticket = await self.circuits.admit(TARGET, policy)
        except GatewayError as error:
            return error.kind.code
        self.circuits.report(ticket, verdict, 0.0)
        return "passed"

    async def fail(self, times: int = POLICY.failure_threshold, policy: CircuitPolicy = POLICY) -> None:
        """Make calls that fail."""
        for _ in range(times):
            await self.ask(Verdict.FAILED, policy)

    async def state(self) -> CircuitState:
        """Return the state that an operator sees."""
        views = {view.target: view.state for view in await self.circuits.views(POLICY)}
        return views.get(TARGET.name, CircuitState.CLOSED)

    def changes(self) -> list[tuple[str, str, str]]:
        """Return the changes of circuits that listeners heard of."""
        return [(told.before, told.now, told.reason) for told in self.told if isinstance(told, CircuitChanged)]

    def troubles(self) -> list[bool]:
        """Return when listeners heard that shared state was lost (True) or came back."""
        return [told.degraded for told in self.told if isinstance(told, StateDegraded)]


@asynccontextmanager
async def replica(
    url: str, prefix: str, fail: Literal["local", "open", "closed"] = "local", link: LinkOptions = OPTIONS
) -> AsyncIterator[Replica]:
    """Run a replica."""
    found = Replica(url, prefix, fail, link)
    async with found.link:
        yield found


async def until(happened: Callable[[], Any]) -> None:
    """Wait until something is so; fail if it never is."""
    async with asyncio.timeout(HANGS_S):
        while True:
            found = happened()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)
