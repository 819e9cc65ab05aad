"""
How often one call asks Redis, counted on the wire: a proxy keeps what passes between the gateway and Redis.

Commands that leave together are one round trip. What the gateway does in the background (looks at circuits, keys and
replicas twice a second, sums of good answers) is told apart by the scripts that it names.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx2
import pytest

from app.state.scripts import script
from tests.support.fault_proxy import FaultProxy
from tests.support.gateway import LOCAL, GatewayProcess, Start, running
from tests.support.redis_server import RedisServer, redis_server
from tests.support.upstream_server import Received, Step, UpstreamServer, whole

SECRET: Final = "wz-" + "k" * 43
ANSWER: Final = b'{"choices":[{"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}]}'
FAILURE: Final = b'{"error":{"message":"no"}}'
# What is asked about one call, and only about one; good answers are told to circuits in sums, by many calls together.
OF_A_CALL: Final[Mapping[str, str]] = {
    "acquire": "limits_acquire",
    "settle": "limits_settle",
    "admit": "circuit_admit",
    "report": "circuit_report",
    "reserve": "spend_reserve",
    "charge": "spend_settle",
}
NAMES: Final = {script(decision).sha1.encode(): name for name, decision in OF_A_CALL.items()}
LIMITED: Final[Mapping[str, Any]] = {
    "auth": {"required": True},
    "keys": [{"name": "bench", "hash": f"sha256:{hashlib.sha256(SECRET.encode()).hexdigest()}", "team": "red"}],
    "limits": [
        {"name": "calls", "per": "key", "requests": 1000, "window_s": 1},
        {"name": "tokens", "per": "team", "tokens": 1_000_000, "window_s": 60},
        {"name": "places", "per": "global", "concurrency": 100},
    ],
    "retry": {"max_attempts": 1},
}
PAID: Final[Mapping[str, Any]] = {
    "prices": {"box/small": {"input": 1, "output": 1}},
    "budgets": [{"name": "team", "per": "team", "usd": 1000}, {"name": "all", "per": "global", "usd": 1000}],
}


class Trips:
    """Calls of one gateway, and what each of them asked Redis before and after its provider was asked."""

    def __init__(self, gateway: GatewayProcess, redis: FaultProxy, provider: Provider) -> None:
        self._gateway = gateway
        self._redis = redis
        self.provider = provider
        self.model = "box/small"

    async def call(self, until: str) -> tuple[list[set[str]], list[set[str]]]:
        """Make a call; return its round trips before and after the provider, once that which ends with `until` came."""
        began = len(self._redis.passed)
        body = {"model": self.model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}
        headers = {"authorization": f"Bearer {SECRET}"}
        async with httpx2.AsyncClient(**LOCAL) as client:
            await client.post(f"{self._gateway.url}/v1/chat/completions", json=body, headers=headers)
        await self._redis.wait_until(lambda: any(until in names for names in self._trips(began)))
        asked_at = self.provider.seen_at
        told_later = frozenset() if self.provider.fails else {"report"}  # good answers, by a timer and with any other
        before, after = (
            [names - told_later for names in part] for part in (self._trips(began, asked_at), self._trips(asked_at))
        )
        return [names for names in before if names], [names for names in after if names]

    def _trips(self, since: int, till: int | None = None) -> list[set[str]]:
        """Return what each round trip asked about a call, background ones left out."""
        asked = [piece.data for piece in self._redis.passed[since:till] if not piece.answer]
        named = [{NAMES[sha] for sha in re.findall(rb"[0-9a-f]{40}", data) if sha in NAMES} for data in asked]
        return [names for names in named if names]


class Provider:
    """Answers, or fails when it is told to; notes how much had passed to Redis when it was last asked."""

    def __init__(self, redis: FaultProxy) -> None:
        self._redis = redis
        self.seen_at = 0
        self.fails = False

    def __call__(self, _request: Received) -> tuple[Step, ...]:
        """Answer one request."""
        self.seen_at = len(self._redis.passed)
        return (whole(FAILURE, 500) if self.fails else whole(ANSWER),)


@asynccontextmanager
async def counting(port: int, settings: Mapping[str, Any]) -> AsyncIterator[Trips]:
    """Run a gateway between a provider and a Redis that are both watched."""
    async with FaultProxy(port) as redis:
        provider = Provider(redis)
        async with UpstreamServer(provider) as upstream:
            box = {"kind": "openai", "base_url": f"{upstream.url}/v1"}
            address = {"url": f"redis://127.0.0.1:{redis.port}/0", "timeout_s": 2}
            starting = running(Start({**settings, "providers": {"box": box}, "redis": address}))
            gateway = await asyncio.to_thread(starting.__enter__)  # this loop is its way to Redis meanwhile
            try:
                yield Trips(gateway, redis, provider)
            finally:
                await asyncio.to_thread(starting.__exit__, None, None, None)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as started:
        yield started


async def test_limits_and_circuits_cost_one_round_trip_before_the_call_and_one_after(server: RedisServer) -> None:
    """A key, three limits and a closed circuit: all limits are asked at once, and settled at once."""
    async with counting(server.port, LIMITED) as trips:
        calls = [await trips.call("settle") for _ in range(5)]

    assert [([{"acquire"}], [{"settle"}])] * 5 == calls


async def test_what_a_failure_changes_leaves_together(server: RedisServer) -> None:
    """The circuit hears of it in the same packet in which limits are settled."""
    async with counting(server.port, {**LIMITED, "circuit_breaker": {"failure_threshold": 100}}) as trips:
        trips.provider.fails = True
        before, after = await trips.call("settle")

    assert ([{"acquire"}], [{"settle", "report"}]) == (before, after)


async def test_budgets_are_asked_together_with_limits(server: RedisServer) -> None:
    """They are asked before the target is known, for those that may come first; all is settled together."""
    async with counting(server.port, {**LIMITED, **PAID}) as trips:
        calls = [await trips.call("settle") for _ in range(5)]

    assert [([{"acquire", "reserve"}], [{"settle", "charge"}])] * 5 == calls


async def test_a_route_that_chooses_asks_for_all_that_may_come_first(server: RedisServer) -> None:
    """Where the budget of one provider is spent, its answer is known, and so is that for the next target."""
    targets = [{"provider": "box", "model": "dear"}, {"provider": "box", "model": "small"}]
    settings = {
        **LIMITED,
        "models": {"fast": {"targets": targets, "strategy": "round_robin"}},
        "prices": {"box/small": {"input": 1, "output": 1}, "box/dear": {"input": 1000, "output": 1000}},
        "budgets": [{"name": "each", "per": ["team", "model"], "usd": 0.001}],
        "fallback": {"triggers": ["budget"]},
    }
    async with counting(server.port, settings) as trips:
        trips.model = "fast"
        calls = [await trips.call("settle") for _ in range(4)]

    assert [([{"acquire", "reserve"}], [{"settle", "charge"}])] * 4 == calls


async def test_budgets_alone_cost_one_round_trip(server: RedisServer) -> None:
    """Nothing else leaves, so they are asked when the target is known."""
    async with counting(server.port, {**PAID, **LIMITED, "limits": []}) as trips:
        before, after = await trips.call("charge")

    assert ([{"reserve"}], [{"charge"}]) == (before, after)


async def test_without_limits_and_budgets_nobody_waits(server: RedisServer) -> None:
    """A closed circuit asks nothing before a call; a good answer is told later, together with others."""
    async with counting(server.port, {"retry": {"max_attempts": 1}}) as trips:
        before, _ = await trips.call("report")

    assert [] == before
