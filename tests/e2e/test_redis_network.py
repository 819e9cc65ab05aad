"""What the network does between the gateway and Redis: calls are answered all the same, and Redis is used again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.e2e.support.asking import ADMIN_TOKEN, admin
from tests.support.fault_proxy import NO_FAULT, Ending, Fault, FaultProxy
from tests.support.gateway import LOCAL, GatewayProcess, Start, running
from tests.support.redis_server import RedisServer, redis_server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CALLS = 20
CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim"}},
    "models": {"fast": {"targets": [{"provider": "sim", "model": "fail"}, {"provider": "sim", "model": "echo"}]}},
    "retry": {"max_attempts": 1},
    "admin": {"token": ADMIN_TOKEN},
    "limits": [{"name": "calls", "per": "global", "requests": 1_000_000, "window_s": 1}],
}
FAULTS = {
    "slow": Fault(latency_s=0.5),
    "silent from the start": Fault(ending=Ending.STALL),
    "silent after a while": Fault(after=700, ending=Ending.STALL),
    "reset": Fault(after=300, ending=Ending.RESET),
    "half-closed": Fault(after=20, ending=Ending.HALF_CLOSE),
    "babbling": Fault(after=7, ending=Ending.GARBAGE),
    "no number": Fault(ending=Ending.GARBAGE, garbage=b":many\r\n" * 20),
    "no length": Fault(ending=Ending.GARBAGE, garbage=b"$much\r\n" * 20),
    "of no sane size": Fault(ending=Ending.GARBAGE, garbage=b"*99999999999\r\n"),
    "another answer": Fault(after=7, ending=Ending.GARBAGE, garbage=b"+OK\r\n" * 50),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as started:
        yield started


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def proxy(server: RedisServer) -> AsyncIterator[FaultProxy]:
    """Put the proxy in front of it."""
    async with FaultProxy(server.port) as between:
        yield between


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(proxy: FaultProxy) -> AsyncIterator[GatewayProcess]:
    """Run a gateway that reaches Redis through the proxy."""
    redis = {"url": f"redis://127.0.0.1:{proxy.port}/0", "connect_s": 1}
    starting = running(Start({**CONFIG, "redis": redis}))
    process = await asyncio.to_thread(starting.__enter__)
    try:
        yield process
    finally:
        await asyncio.to_thread(starting.__exit__, None, None, None)


@pytest.mark.parametrize("name", FAULTS)
async def test_calls_are_answered_whatever_comes_from_redis(
    gateway: GatewayProcess, proxy: FaultProxy, name: str
) -> None:
    """Every call succeeds while the connection is bad, and the link comes back by itself when it is good again."""
    await degraded(gateway, 0)
    before = await answers(gateway)
    proxy.fault = FAULTS[name]
    await proxy.drop()

    during = [await answers(gateway)]
    await degraded(gateway, 1)
    during.append(await answers(gateway))
    proxy.fault = NO_FAULT
    await proxy.drop()
    await degraded(gateway, 0)
    after = await answers(gateway)

    assert [before, *during, after] == [{200}] * 4


async def test_an_operator_can_wait(gateway: GatewayProcess, proxy: FaultProxy) -> None:
    """While Redis is too slow for calls, keys are made and revoked and circuits forced all the same."""
    proxy.fault = Fault(latency_s=0.06)
    await proxy.drop()
    await degraded(gateway, 1)

    made = await asyncio.to_thread(admin, gateway, "POST", "/keys", {"name": "patient"})
    others = [
        await asyncio.to_thread(admin, gateway, *asked)
        for asked in (("DELETE", f"/keys/{made.json()['id']}"), ("POST", "/circuits/sim%2Fecho/open"),
                      ("POST", "/circuits/sim%2Fecho/close"))
    ]  # fmt: skip
    proxy.fault = NO_FAULT
    await proxy.drop()
    await degraded(gateway, 0)

    assert [answer.status_code for answer in (made, *others)] == [200] * 4


async def answers(gateway: GatewayProcess) -> set[int]:
    """Make some calls at once and return their statuses."""
    body = {"model": "fast", "messages": [{"role": "user", "content": "hi"}]}
    async with httpx2.AsyncClient(base_url=gateway.url, **LOCAL) as client:
        found = await asyncio.gather(*(client.post("/v1/chat/completions", json=body) for _ in range(CALLS)))
    return {answer.status_code for answer in found}


async def degraded(gateway: GatewayProcess, value: float) -> None:
    """Wait until the gateway says so."""
    await asyncio.to_thread(gateway.wait_for_metric, "wizard_state_degraded", value)
