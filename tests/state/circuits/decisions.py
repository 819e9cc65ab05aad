"""Both adapters behind one face, with the time in the test's hand, so that one suite fits both."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis

from app.core.circuits import CircuitPolicy, Force
from app.state.circuits.circuit import Finding, Reading
from app.state.circuits.memory import MemoryCircuits
from app.state.circuits.redis import RedisCircuits
from app.state.link.batch import Batch

EPOCH_MS = 1_700_000_000_000
POLICY = CircuitPolicy(
    failure_threshold=3,
    window_s=12.0,
    failure_ratio=0.5,
    open_s=10.0,
    open_max_s=60.0,
    half_open_max_calls=2,
    probe_lease_s=5.0,
)
_prefixes = itertools.count()


class Hand:
    """The time, in milliseconds."""

    def __init__(self) -> None:
        self.now_ms = EPOCH_MS

    def __call__(self) -> int:
        """Return it."""
        return self.now_ms

    def pass_s(self, seconds: float) -> None:
        """Let some of it pass."""
        self.now_ms += round(seconds * 1000)


class Decisions(Protocol):
    """What both adapters decide."""

    async def admit(self, target: str, policy: CircuitPolicy) -> Reading:
        """Let a call through, or not."""
        ...

    async def report(self, target: str, policy: CircuitPolicy, finding: Finding) -> Reading:
        """Take note of how calls ended."""
        ...

    async def force(self, target: str, action: Force) -> Reading:
        """Do as an operator says."""
        ...

    async def read(self, target: str, policy: CircuitPolicy) -> Reading:
        """Look at a circuit."""
        ...


class InMemory:
    """The adapter that never waits, as one that could."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._circuits = MemoryCircuits()

    async def admit(self, target: str, policy: CircuitPolicy) -> Reading:
        """Decide."""
        return self._circuits.admit(target, policy, self._hand())

    async def report(self, target: str, policy: CircuitPolicy, finding: Finding) -> Reading:
        """Decide."""
        return self._circuits.report(target, policy, finding, self._hand())

    async def force(self, target: str, action: Force) -> Reading:
        """Decide."""
        return self._circuits.force(target, action, self._hand())

    async def read(self, target: str, policy: CircuitPolicy) -> Reading:
        """Decide."""
        return self._circuits.read(target, policy, self._hand())


@asynccontextmanager
async def in_redis(port: int, hand: Hand | None) -> AsyncIterator[RedisCircuits]:
    """Decide in the Redis at `port`, under keys of its own."""
    client = Redis(port=port, protocol=2)
    failures: list[Exception] = []
    batch = Batch(client, 10.0, failures.append)
    try:
        yield RedisCircuits(batch.add, f"test-{next(_prefixes)}", hand)
    finally:
        await batch.aclose()
        await client.aclose()
    assert not failures
