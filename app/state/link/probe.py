"""Probe whether Redis answers, is configured suitably, and agrees about the time."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec

from app.core.clock import Clock
from app.state.link.batch import LOSSES
from app.state.link.connecting import connect, disconnect

PROBE_S: Final = 5.0


class ProbedRedis(msgspec.Struct, frozen=True):
    """
    The result of a probe.

    `reason` is empty if Redis answers and accepts writes; otherwise it names the kind of error. `version` and `policy`
    (the eviction policy) are empty if Redis does not reveal them; `ahead_s` is how far its clock is ahead of ours.
    """

    reason: str
    latency_s: float = 0.0
    version: str = ""
    policy: str = ""
    ahead_s: float | None = None


async def probe_redis(url: str, key_prefix: str, clock: Clock) -> ProbedRedis:
    """Connect, read, and write one key that expires after a second; errors of Redis are results, not exceptions."""
    client: Any = connect(url, PROBE_S)
    try:
        async with asyncio.timeout(PROBE_S):
            await client.ping()
            began = clock.now()
            seconds, microseconds = await client.time()
            latency_s = clock.now() - began
            ahead_s = seconds + microseconds / 1e6 - (clock.wall() - latency_s / 2)
            await client.set(f"{key_prefix}:doctor", "1", px=1000)
            facts = await client.info()
    except TimeoutError:
        return ProbedRedis(f"no answer within {PROBE_S:g} s")
    except LOSSES as error:
        return ProbedRedis(type(error).__name__)
    finally:
        await disconnect(client)
    version, policy = (str(facts.get(name, "")) for name in ("redis_version", "maxmemory_policy"))
    return ProbedRedis("", latency_s, version, policy, ahead_s)
