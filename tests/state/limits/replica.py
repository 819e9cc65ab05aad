"""
One replica, as a program: waits for the word on its standard input, makes calls of many sizes, and says what it let in.

    python limiting_replica.py PORT PREFIX CALLS SEED

Prints a JSON list of [time of Redis in microseconds, reserved tokens, needed tokens], one for each call that was
admitted; some calls give back what they did not need, and some are never heard of again.
"""

from __future__ import annotations

import asyncio
import random
import sys

import msgspec

from app.core.rules import Decision
from tests.state.limits.limiting import InRedis, ask, claim, in_redis, places, requests, tokens

CALLS, TOKENS, PLACES = requests(100, 1.0, burst=20), tokens(4000, 1.0, burst=800), places(30)
TASKS, HOLD_S = 8, 0.3


def when_us(decision: Decision) -> int:
    """Return the time of Redis at which a call was let in."""
    (hold,) = [each for each in decision.standings if each.claim.rule is CALLS]
    assert hold.hold is not None
    return hold.hold.served_us - hold.used


async def calls(limits: InRedis, number: int, seed: int) -> list[tuple[int, int, int]]:
    """Make calls one after the other."""
    chance, admitted = random.Random(seed), []  # noqa: S311 - no secret
    for _ in range(number):
        units = chance.choice([1, 10, 40, 80, 300, 800])
        decision = await limits.acquire(ask(claim(CALLS), claim(TOKENS, units), claim(PLACES), hold_s=HOLD_S))
        if not decision.admitted:
            await asyncio.sleep(0.001)
            continue
        needed = units * chance.choice([0, 30, 100, 100]) // 100
        await asyncio.sleep(chance.choice([0, 0.005, 0.02]))
        if chance.random() < 0.9:  # the others crash
            await limits.settle(decision, needed)
        else:
            needed = units
        admitted.append((when_us(decision), units, needed))
    return admitted


async def main(port: int, prefix: str, number: int, seed: int) -> list[tuple[int, int, int]]:
    """Do as told."""
    async with in_redis(port, None, prefix) as limits:
        print("ready", flush=True)  # noqa: T201 - what the test waits for
        sys.stdin.readline()
        found = await asyncio.gather(*(calls(limits, number // TASKS, seed * TASKS + task) for task in range(TASKS)))
    return [each for one in found for each in one]


if __name__ == "__main__":
    history = asyncio.run(main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
    print(msgspec.json.encode(history).decode(), flush=True)  # noqa: T201 - what the test reads
