"""Asking Redis how it is."""

from __future__ import annotations

import pytest

from app.core.clock import SystemClock
from app.state.link.probe import probe_redis
from tests.support.fault_proxy import Ending, Fault, FaultProxy
from tests.support.redis_server import RedisServer


class Late(SystemClock):
    """A clock that is a minute late."""

    def wall(self) -> float:
        """Return a time that is over."""
        return super().wall() - 60.0


async def test_a_redis_that_is_well(server: RedisServer) -> None:
    """Version, latency, policy and the difference of the clocks; the key it wrote is gone soon."""
    found = await probe_redis(server.url, "wizard", Late())

    assert (found.reason, found.policy) == ("", "noeviction")
    assert found.version
    assert found.latency_s > 0
    assert found.ahead_s == pytest.approx(60, abs=10)
    assert server.do("PTTL", "wizard:doctor") <= 1000


class Slow(SystemClock):
    """A clock for which each look at it takes a thousand seconds."""

    looks = 0

    def now(self) -> float:
        """Return the time since the first look."""
        self.looks += 1
        return 1000.0 * self.looks


async def test_the_clocks_are_compared_at_half_time(server: RedisServer) -> None:
    """Redis has told its time in the middle of the wait for it."""
    found = await probe_redis(server.url, "wizard", Slow())

    assert found.latency_s == 1000
    assert found.ahead_s == pytest.approx(500, abs=60)


async def test_a_redis_that_takes_no_writes(server: RedisServer) -> None:
    """What cannot be written to is of no use, and is named so."""
    server.do("REPLICAOF", "127.0.0.1", 1)

    found = await probe_redis(server.url, "wizard", SystemClock())

    assert found.reason == "ReadOnlyError"


async def test_no_redis(server: RedisServer) -> None:
    """One that is gone is told, not raised."""
    server.kill()

    found = await probe_redis(server.url, "wizard", SystemClock())

    assert found.reason == "ConnectionError"


async def test_something_that_is_no_redis(shared_server: RedisServer) -> None:
    """What answers with bytes that no Redis sends is told as well."""
    nonsense = Fault(ending=Ending.GARBAGE, garbage=b":many\r\n")
    async with FaultProxy(shared_server.port, nonsense) as proxy:
        found = await probe_redis(f"redis://127.0.0.1:{proxy.port}/0", "wizard", SystemClock())

    assert found.reason
