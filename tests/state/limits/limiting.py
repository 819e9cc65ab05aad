"""Both adapters of rate limits behind one face, with the time in the test's hand; and rules to ask them about."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis

from app.core.gcra import US_PER_S, Rate
from app.core.rules import Ask, Claim, Decision, Measure, Rule, Standing
from app.state.limits.memory import MemoryLimits
from app.state.limits.redis import Correction, RedisLimits, Want, decision_of
from app.state.link.batch import Batch
from tests.state.hand import Hand, on_time

HOLD_S = 30.0
_prefixes = itertools.count()


class Deciding(Protocol):
    """What both adapters do."""

    async def acquire(self, ask: Ask) -> Decision:
        """Take everything, or nothing."""
        ...

    async def settle(self, decision: Decision, tokens: int) -> None:
        """Settle."""
        ...

    async def read(self, claim: Claim) -> Standing:
        """Look."""
        ...


class InMemory:
    """The adapter that never waits, as one that could."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand
        self._limits = MemoryLimits()

    async def acquire(self, ask: Ask) -> Decision:
        """Decide."""
        return self._limits.acquire(ask, self._hand.now_us)

    async def settle(self, decision: Decision, tokens: int) -> None:
        """Settle."""
        self._limits.settle(decision, tokens, self._hand.now_us)

    async def read(self, claim: Claim) -> Standing:
        """Look."""
        return self._limits.read(claim, self._hand.now_us)


class InRedis:
    """The adapter that asks Redis, which waits for each settlement."""

    def __init__(self, limits: RedisLimits) -> None:
        self.limits = limits

    async def acquire(self, ask: Ask) -> Decision:
        """Decide."""
        place, answer = self.limits.acquiring(ask, [Want(claim.charge_us) for claim in ask.claims])
        decision, _ = decision_of(ask, place, await answer)
        return decision

    async def settle(self, decision: Decision, tokens: int) -> None:
        """Settle."""
        place, corrections = "", []
        for standing in decision.standings:
            place = place or standing.place
            if standing.place:
                corrections.append(Correction(standing.claim.bucket))
            elif owed := standing.settle(tokens):
                corrections.append(Correction(standing.claim.bucket, owed, standing.hold))
        if corrections:
            await self.limits.settling(decision.slot, place, corrections)

    async def read(self, claim: Claim) -> Standing:
        """Look."""
        (found,) = await self.limits.read("", [claim])
        return found


@asynccontextmanager
async def in_redis(port: int, hand: Hand | None, prefix: str | None = None) -> AsyncIterator[InRedis]:
    """Decide in the Redis at `port`, under keys of its own unless they have a `prefix`."""
    client = Redis(port=port, protocol=2)
    failures: list[Exception] = []
    batch = Batch(client, 10.0, failures.append)
    submit = batch.submit if hand is None else on_time(batch.submit, hand)
    number = next(_prefixes)
    try:
        yield InRedis(RedisLimits(submit, prefix or f"test-limits-{number}", f"r{number}"))
    finally:
        await batch.aclose()
        await client.aclose()
    assert not failures


def requests(
    amount: int, window_s: float = 60.0, burst: int | None = None, *, shadow: bool = False, lease: int = 0
) -> Rule:
    """Return a rule that counts requests."""
    rate = Rate.of(amount, window_s, burst or amount)
    return Rule("requests", Measure.REQUESTS, rate.burst, rate, shadow=shadow, lease=lease)


def tokens(
    amount: int, window_s: float = 60.0, burst: int | None = None, *, shadow: bool = False, lease: int = 0
) -> Rule:
    """Return a rule that counts tokens."""
    rate = Rate.of(amount, window_s, burst or amount)
    return Rule("tokens", Measure.TOKENS, rate.burst, rate, shadow=shadow, lease=lease)


def places(number: int, *, shadow: bool = False) -> Rule:
    """Return a rule that bounds how many calls are under way."""
    return Rule("places", Measure.CONCURRENCY, number, shadow=shadow)


def claim(asked: Rule, units: int = 1, of: str = "") -> Claim:
    """Ask for units of a rule's bucket for `of`."""
    return Claim(asked, f"{asked.name}:{of}", units, 0 if asked.rate is None else asked.rate.charge_us(units))


def ask(*claims: Claim, slot: str = "", hold_s: float = HOLD_S) -> Ask:
    """Ask for everything in one call."""
    return Ask(claims, slot, hold_s)


def waits_s(decision: Decision) -> list[float]:
    """Return how long each claim has to wait."""
    return [standing.wait_us / US_PER_S for standing in decision.standings]


def remaining(standings: Sequence[Standing]) -> list[int]:
    """Return what is left in each bucket."""
    return [standing.remaining for standing in standings]
