"""Several processes share one circuit through one Redis."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from app.state.circuits.circuit import Finding
from app.state.circuits.redis import RedisCircuits
from app.state.link.batch import Batch
from tests.state.circuits.decisions import POLICY
from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
REPLICAS, ASKS = 4, 100
MANY_ASKS, MANY_GENERATIONS = 1500, 20
SOON = msgspec.structs.replace(POLICY, open_s=0.001)


async def opened(circuits: RedisCircuits) -> str:
    """Let calls fail until the circuit opens, for a millisecond."""
    readings = [await circuits.report("acme/small", SOON, Finding(0, failed=1)) for _ in range(SOON.failure_threshold)]
    return readings[-1].state.value


def told_by_replicas(port: int, *arguments: str) -> list[str]:
    """Start the replicas, let all of them ask in the same moment, and return what each says it was granted."""
    command = [sys.executable, "-m", "tests.state.circuits.replica", str(port), *arguments]
    processes = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(REPLICAS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate()[0] for process in processes]


async def test_probes_of_all_replicas_together_never_exceed_the_setting(shared_server: RedisServer) -> None:
    """Four processes ask in the same moment: of one generation, two calls in all become probes."""
    client = Redis(port=shared_server.port, protocol=2)
    batch = Batch(client, 10.0, lambda _error: None)
    state = await opened(RedisCircuits(batch.submit, "replicas"))

    told = await asyncio.to_thread(told_by_replicas, shared_server.port, "replicas", str(ASKS))

    assert ("open", POLICY.half_open_max_calls) == (state, sum(map(int, told)))
    await batch.aclose()
    await client.aclose()


async def test_no_generation_has_more_probes_than_the_setting(shared_server: RedisServer) -> None:
    """Over many generations, each opened by a probe that failed: four processes never get a third probe."""
    client = Redis(port=shared_server.port, protocol=2)
    batch = Batch(client, 10.0, lambda _error: None)
    await opened(RedisCircuits(batch.submit, "generations"))

    told = await asyncio.to_thread(told_by_replicas, shared_server.port, "generations", str(MANY_ASKS), "fail")

    probes = Counter(generation for each in told for generation in each.split())
    assert max(probes.values()) <= POLICY.half_open_max_calls
    assert len(probes) > MANY_GENERATIONS
    await batch.aclose()
    await client.aclose()
