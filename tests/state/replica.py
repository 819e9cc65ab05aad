"""
One replica, as a program: waits for the word on its standard input, asks for probes, and says how many it was granted.

    python replica.py PORT PREFIX ASKS
"""

from __future__ import annotations

import asyncio
import sys

from redis.asyncio import Redis

from app.state.batch import Batch
from app.state.redis import RedisCircuits
from tests.state.decisions import POLICY


async def main(port: int, prefix: str, asks: int) -> int:
    """Ask as often as told, at once, and return how many times a probe was granted."""
    client = Redis(port=port, protocol=2)
    batch = Batch(client, 10.0, lambda _error: None)
    circuits = RedisCircuits(batch.add, prefix)
    await client.ping()
    print("ready", flush=True)  # noqa: T201 - what the test waits for
    sys.stdin.readline()
    granted = 0
    for _ in range(asks // 10):
        readings = await asyncio.gather(*(circuits.admit("acme/small", POLICY) for _ in range(10)))
        granted += sum(1 for reading in readings if reading.slot)
    await batch.aclose()
    await client.aclose()
    return granted


if __name__ == "__main__":
    print(asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]))), flush=True)  # noqa: T201 - what the test reads
