"""Several processes share one circuit through one Redis."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from app.state.batch import Batch
from app.state.circuit import Finding
from app.state.redis import RedisCircuits
from tests.state.decisions import POLICY
from tests.support.redis_server import RedisServer

ROOT = Path(__file__).parents[2]
REPLICAS, ASKS = 4, 100
SOON = msgspec.structs.replace(POLICY, open_s=0.001)


async def opened(circuits: RedisCircuits) -> str:
    """Let calls fail until the circuit opens, for a millisecond."""
    readings = [await circuits.report("acme/small", SOON, Finding(0, failed=1)) for _ in range(SOON.failure_threshold)]
    return readings[-1].state.value


def granted_to_replicas(port: int) -> int:
    """Start the replicas, let all of them ask in the same moment, and return how many probes they were granted."""
    command = [sys.executable, "-m", "tests.state.replica", str(port), "replicas", str(ASKS)]
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
    return sum(int(process.communicate()[0]) for process in processes)


async def test_probes_of_all_replicas_together_never_exceed_the_setting(shared_server: RedisServer) -> None:
    """Four processes ask in the same moment: of one generation, two calls in all become probes."""
    client = Redis(port=shared_server.port, protocol=2)
    batch = Batch(client, 10.0, lambda _error: None)
    state = await opened(RedisCircuits(batch.add, "replicas"))

    granted = await asyncio.to_thread(granted_to_replicas, shared_server.port)

    assert ("open", POLICY.half_open_max_calls) == (state, granted)
    await batch.aclose()
    await client.aclose()
