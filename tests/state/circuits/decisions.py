"""Both adapters behind one face, with the time in the test's hand, so that one suite fits both."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis

from app.core.circuits import CircuitPolicy, Force
from app.state.circuits.circuit import Circuit, Finding, Reading
from app.state.circuits.redis import RedisCircuits
from app.state.link.batch import Batch
from tests.state.hand import Hand, on_time

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
        self._circuits: dict[str, Circuit] = {}

    async def admit(self, target: str, policy: CircuitPolicy) -> Reading:
        """Decide."""
        return self._of(target).admit(self._hand.now_ms, policy)

    async def report(self, target: str, policy: CircuitPolicy, finding: Finding) -> Reading:
        """Decide."""
        return self._of(target).report(self._hand.now_ms, policy, finding)

    async def force(self, target: str, action: Force) -> Reading:
        """Decide."""
        return self._of(target).force(self._hand.now_ms, action)

    async def read(self, target: str, policy: CircuitPolicy) -> Reading:
        """Decide."""
        return self._of(target).read(self._hand.now_ms, policy)

    def _of(self, target: str) -> Circuit:
        return self._circuits.setdefault(target, Circuit(self._hand.now_ms))


@asynccontextmanager
async def in_redis(port: int, hand: Hand) -> AsyncIterator[RedisCircuits]:
    """Decide in the Redis at `port`, under keys of its own."""
    client = Redis(port=port, protocol=2)
    failures: list[Exception] = []
    batch = Batch(client, 10.0, failures.append)
    try:
        yield RedisCircuits(on_time(batch.submit, hand), f"test-{next(_prefixes)}")
    finally:
        await batch.aclose()
        await client.aclose()
    assert not failures
