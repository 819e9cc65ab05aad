"""
Whatever happens to Redis, calls are answered: nobody is refused or waits for it, and it comes back by itself.

Every fault of Redis meets every fault of a provider: routes whose first target fails, stays silent, or talks nonsense.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from tests.e2e.support.answers import whole
from tests.e2e.support.upstream import Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import RedisServer, redis_server

FAILING = {"provider": "sim", "model": "fail?id=always"}
SPARE = {"provider": "sim", "model": "echo"}
ROUTES: Mapping[str, Mapping[str, str]] = {
    "failing": FAILING,
    "silent": {"provider": "sim", "model": "echo?hang=1"},
    "babbling": {"provider": "box", "model": "babble"},
    "wrong": {"provider": "box", "model": "no-json"},
}
CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim", "models": ["echo"]}},
    "circuit_breaker": {"failure_threshold": 3, "open_s": 1, "open_max_s": 1},
    "retry": {"max_attempts": 1},
    "admin": {"token": "t"},
}
LOADED: dict[str, Any] = {  # everything that asks Redis about a call
    "models": {name: {"targets": [first, SPARE]} for name, first in ROUTES.items()},
    "timeouts": {"first_token_s": 4},  # a busy machine must not look like a silent provider
    "limits": [
        {"name": "calls", "per": "global", "requests": 1_000_000, "window_s": 1},
        {"name": "tokens", "per": "route", "tokens": 1_000_000_000, "window_s": 60},
        {"name": "places", "per": "model", "concurrency": 1000},
    ],
    "prices": {"sim/echo": {"input": 1, "output": 1}},
    "budgets": [{"name": "all", "per": "global", "usd": 1_000_000}],
}
ADMIN = {"authorization": "Bearer t"}
REASONS = ("target_failed", "timeout_first_token", "bad_upstream_reply")
CLIENTS = 2  # for each route


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run the Redis that suffers."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(redis: RedisServer, upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run the gateway that uses it for everything, and whose providers are in no better state."""
    upstream.on("babble", babbles)
    upstream.on("no-json", whole(b"<html>It works!</html>"))
    box = {"box": {"kind": "openai", "base_url": upstream.url}}
    config = {**CONFIG, **LOADED, "providers": CONFIG["providers"] | box, "redis": {"url": redis.url}}
    with running(Start(config)) as process:
        yield process


def babbles(exchange: Exchange) -> None:
    """Answer with bytes that are no HTTP."""
    exchange.send(b"\x15\x03\x01\x00\xff" * 40)
    exchange.break_off()


class Answers:
    """Route, status and code of every answer so far."""

    def __init__(self) -> None:
        self._found: list[tuple[str, int, str]] = []
        self._came = asyncio.Condition()

    @property
    def kinds(self) -> set[tuple[int, str]]:
        """Return what kinds of answers there were."""
        return {(status, code) for _, status, code in self._found}

    async def add(self, route: str, status: int, code: str) -> None:
        """Take one more."""
        async with self._came:
            self._found.append((route, status, code))
            self._came.notify_all()

    async def more(self, count: int = 40) -> None:
        """Wait for so many further ones, some of them of every route."""
        so_far = len(self._found)

        def enough() -> bool:
            came = self._found[so_far:]
            return len(came) >= count and {route for route, _, _ in came} == set(ROUTES)

        async with self._came:
            await self._came.wait_for(enough)


@asynccontextmanager
async def load(gateway: GatewayProcess) -> AsyncIterator[Answers]:
    """Keep calling every route while inside: whole answers, and streams where only they have a time to be silent."""
    answers = Answers()
    over = asyncio.Event()

    async def keep_calling(client: httpx2.AsyncClient, route: str) -> None:
        for number in itertools.count():
            if over.is_set():
                return
            body = {"model": route, "prompt": "hi", "stream": route == "silent"}
            headers = {"idempotency-key": f"{route}-{id(over)}-{number}"} if number % 2 else {}
            answer = await client.post(f"{gateway.url}/v1/generate", json=body, headers=headers)
            await answers.add(route, answer.status_code, _code_in(answer.text))

    async with httpx2.AsyncClient(**LOCAL) as client:
        calling = [asyncio.ensure_future(keep_calling(client, route)) for route in ROUTES for _ in range(CLIENTS)]
        try:
            yield answers
        finally:
            over.set()
            await asyncio.gather(*calling)


def _code_in(text: str) -> str:
    """Return the code of an error, whether it is all of the answer or the last event of a stream."""
    return text.partition('"code":"')[2].partition('"')[0] if '"error":{' in text else ""


async def degraded(gateway: GatewayProcess, value: float) -> None:
    """Wait until the gateway says so."""
    await asyncio.to_thread(gateway.wait_for_metric, "wizard_state_degraded", value)


def killed(redis: RedisServer) -> None:
    """Take it away with everything in it."""
    redis.kill()


def made_read_only(redis: RedisServer) -> None:
    """Let it follow a master that is not there."""
    redis.do("REPLICAOF", "127.0.0.1", 1)


def writable_again(redis: RedisServer) -> None:
    """Let it be its own master."""
    redis.do("REPLICAOF", "NO", "ONE")


def full(redis: RedisServer) -> None:
    """Leave it no memory for writes."""
    redis.do("CONFIG", "SET", "maxmemory", 1)


def roomy(redis: RedisServer) -> None:
    """Give it as much as it likes."""
    redis.do("CONFIG", "SET", "maxmemory", 0)


FAULTS: Mapping[str, tuple[Callable[[RedisServer], None], Callable[[RedisServer], None]]] = {
    "frozen": (RedisServer.freeze, RedisServer.thaw),
    "killed": (killed, RedisServer.start),
    "read-only": (made_read_only, writable_again),
    "full": (full, roomy),
}


async def test_the_providers_are_as_bad_as_they_are_said_to_be(gateway: GatewayProcess) -> None:
    """Each of the first targets failed in its own way, and its calls went on to the spare one."""
    async with load(gateway) as answers:
        await answers.more()

    reasons = {
        name: [code for code in REASONS if fell_back(gateway, f"{first['provider']}/{first['model']}", code)]
        for name, first in ROUTES.items()
    }
    assert reasons == {
        "failing": ["target_failed"],
        "silent": ["timeout_first_token"],
        "babbling": ["bad_upstream_reply"],
        "wrong": ["bad_upstream_reply"],
    }


def fell_back(gateway: GatewayProcess, origin: str, reason: str) -> bool:
    """Say whether calls were moved on from a target for a reason."""
    return gateway.metric("wizard_fallbacks_total", **{"from": origin, "reason": reason}) > 0


@pytest.mark.parametrize("name", FAULTS)
async def test_no_call_fails_while_redis_does(gateway: GatewayProcess, redis: RedisServer, name: str) -> None:
    """A failing target and a failing Redis at once: every call is answered, before, during and after."""
    harm, mend = FAULTS[name]
    await degraded(gateway, 0)

    async with load(gateway) as answers:
        await answers.more()
        harm(redis)
        await degraded(gateway, 1)
        await answers.more()
        mend(redis)
        await degraded(gateway, 0)
        await answers.more()

    assert {(200, "")} == answers.kinds


async def test_a_pause_is_survived(gateway: GatewayProcess, redis: RedisServer) -> None:
    """`CLIENT PAUSE ALL`: Redis holds its breath for two seconds."""
    await degraded(gateway, 0)

    async with load(gateway) as answers:
        before = _times_lost(gateway)
        redis.do("CLIENT", "PAUSE", 2000, "ALL")
        await asyncio.to_thread(eventually, lambda: _times_lost(gateway) > before, "the pause was not noticed")
        await answers.more()
        await degraded(gateway, 0)

    assert {(200, "")} == answers.kinds


async def test_forgotten_scripts_are_given_again(gateway: GatewayProcess, redis: RedisServer) -> None:
    """`SCRIPT FLUSH` is not even noticed."""
    await degraded(gateway, 0)
    lost_before = _refusals(gateway)

    async with load(gateway) as answers:
        for _ in range(3):
            redis.do("SCRIPT", "FLUSH")
            await answers.more()

    assert {(200, "")} == answers.kinds
    assert lost_before == _refusals(gateway)


def _times_lost(gateway: GatewayProcess) -> int:
    """Return how often Redis was lost so far."""
    return sum(line["event"] == "state_degraded" for line in gateway.logs())


def _refusals(gateway: GatewayProcess) -> int:
    """Return how often Redis was lost by what it said; a busy machine may also be late."""
    lost = [line for line in gateway.logs() if line["event"] == "state_degraded"]
    return len([line for line in lost if line["reason"] != "TimeoutError"])


async def test_an_emptied_redis_is_filled_anew(gateway: GatewayProcess, redis: RedisServer) -> None:
    """`FLUSHALL` closes circuits; those of targets that still fail open again."""

    def known_again() -> object:
        return redis.do("HEXISTS", "{wizard:circuits}:states", "sim/fail?id=always")

    await degraded(gateway, 0)

    async with load(gateway) as answers:
        await answers.more()
        redis.do("FLUSHALL")
        await asyncio.to_thread(eventually, known_again, "the circuit of the failing target never came back")

    assert {(200, "")} == answers.kinds


def test_a_gateway_starts_without_redis() -> None:
    """It decides for itself, says so, and shares from the moment that Redis is there."""
    with redis_server() as server:
        server.kill()
        with running(Start({**CONFIG, "redis": {"url": server.url}})) as gateway:
            codes = [_code(gateway, "sim/fail?id=alone") for _ in range(4)]
            said = gateway.wait_for_log("state_degraded")
            forced = _post(gateway, "/admin/circuits/sim/echo/open")
            server.start()
            gateway.wait_for_log("state_restored")
            known = _post(gateway, "/admin/circuits/sim/echo/open")

            assert ["target_failed"] * 3 + ["circuit_open"] == codes
            assert said["reason"] == "ConnectionError"
            assert (503, "state_unavailable") == (forced.status_code, forced.json()["error"]["code"])
            assert known.json()["forced"] is True


@pytest.mark.parametrize(("fail", "codes"), [("open", {"target_failed"}), ("closed", {"state_unavailable"})])
def test_the_policy_without_redis_can_be_chosen(fail: str, codes: set[str]) -> None:
    """Open lets every call through, closed refuses them."""
    redis = {"url": "redis://127.0.0.1:1/0", "fail": {"circuits": fail}}
    with running(Start({**CONFIG, "redis": redis})) as gateway:
        found = {_code(gateway, "sim/fail?id=alone") for _ in range(6)}

        assert codes == found


def test_a_password_is_never_shown() -> None:
    """Not in the log of a gateway that cannot log in."""
    with redis_server(None, "--requirepass", "right") as server:
        url = server.url.replace("//", "//:canary-wrong@")
        with running(Start({**CONFIG, "redis": {"url": url}})) as gateway:
            said = gateway.wait_for_log("state_degraded")

            assert said["reason"] == "AuthenticationError"
            assert "canary-wrong" not in gateway.stdout.text + gateway.stderr.text


def _post(gateway: GatewayProcess, path: str) -> httpx2.Response:
    return httpx2.post(gateway.url + path, headers=ADMIN, **LOCAL)


def _code(gateway: GatewayProcess, model: str) -> str:
    body = {"model": model, "prompt": "hi"}
    answer = httpx2.post(f"{gateway.url}/v1/generate", json=body, **LOCAL)
    return str(answer.json().get("error", {}).get("code", "ok"))
