"""Several processes share limits through one Redis, with costs of every size."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import msgspec

from tests.state.limits.replica import CALLS, PLACES, TOKENS
from tests.support.redis_server import RedisServer
from tests.support.windows import worst_excess

ROOT = Path(__file__).parents[2]
REPLICAS, NUMBER = 4, 3200


def history_of_replicas(port: int) -> list[tuple[int, int, int]]:
    """Start the replicas, let them begin in the same moment, and return what all of them let in, in order of time."""
    command = [sys.executable, "-m", "tests.state.limits.replica", str(port), "limits-replicas", str(NUMBER)]
    processes = [
        subprocess.Popen([*command, str(seed)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for seed in range(REPLICAS)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = [process.communicate()[0] for process in processes]
    return sorted(each for one in told for each in msgspec.json.decode(one, type=list[tuple[int, int, int]]))


async def test_all_replicas_together_never_exceed_a_limit(shared_server: RedisServer) -> None:
    """In every window of the whole history: requests and tokens are within burst and rate, to the last unit."""
    assert CALLS.rate is not None
    assert TOKENS.rate is not None

    history = await asyncio.to_thread(history_of_replicas, shared_server.port)

    requests = worst_excess([(at_us, 1) for at_us, _, _ in history], CALLS.rate)
    tokens = worst_excess([(at_us, needed) for at_us, _, needed in history], TOKENS.rate)
    assert len(history) > CALLS.most + PLACES.most
    assert -1 < requests <= 0  # it was exhausted, and not exceeded
    assert tokens <= 0
