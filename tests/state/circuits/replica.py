"""
One replica, as a program: waits for the word on its standard input, asks for probes, and says what it was granted.

    python replica.py PORT PREFIX ASKS          how many probes were granted to so many calls at once
    python replica.py PORT PREFIX ASKS fail     the same for calls one after another, each of whose probes fails: the
                                                generation of every grant
"""

from __future__ import annotations

import asyncio
import sys

import msgspec
from redis.asyncio import Redis

from app.state.circuits.circuit import Finding
from app.state.circuits.redis import RedisCircuits
from app.state.link.batch import Batch
from tests.state.circuits.decisions import POLICY

# Opens again and again, for so short a time that a test sees many generations.
RESTLESS = msgspec.structs.replace(POLICY, open_s=0.005, open_max_s=0.005)


async def main(port: int, prefix: str, asks: int, *, failing: bool) -> str:
    """Ask as often as told, and return what was granted."""
    client = Redis(port=port, protocol=2)
    batch = Batch(client, 10.0, lambda _error: None)
    circuits = RedisCircuits(batch.submit, prefix)
    await client.ping()
    print("ready", flush=True)  # noqa: T201 - what the test waits for
    sys.stdin.readline()
    said = await (_probes_that_fail(circuits, asks) if failing else _probes(circuits, asks))
    await batch.aclose()
    await client.aclose()
    return said


async def _probes(circuits: RedisCircuits, asks: int) -> str:
    granted = 0
    for _ in range(asks // 10):
        readings = await asyncio.gather(*(circuits.admit("acme/small", POLICY) for _ in range(10)))
        granted += sum(1 for reading in readings if reading.slot)
    return str(granted)


async def _probes_that_fail(circuits: RedisCircuits, asks: int) -> str:
    granted: list[int] = []
    for _ in range(asks):
        reading = await circuits.admit("acme/small", RESTLESS)
        if reading.slot:
            granted.append(reading.generation)
            await circuits.report("acme/small", RESTLESS, Finding(reading.generation, reading.slot, failed=1))
    return " ".join(map(str, granted))


if __name__ == "__main__":
    told = main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), failing=sys.argv[4:] == ["fail"])
    print(asyncio.run(told), flush=True)  # noqa: T201 - what the test reads
