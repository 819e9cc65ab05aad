"""
How long it takes to look a key up, whatever it is: what somebody with a stopwatch could learn.

    python -m loadtests.key_timing [LOOKUPS]

Reported, not asserted: differences of nanoseconds depend on the machine, and on what else it does.
"""

from __future__ import annotations

import asyncio
import gc
import math
import statistics
import sys
import time
from secrets import token_bytes

import msgspec

from app.core.clock import SystemClock
from app.core.errors import GatewayError
from app.core.identity import Credential
from app.core.keys.directory import Directory, Sources
from app.core.keys.virtual_keys import Hasher, KeyTable, VirtualKey, new_secret
from app.state.keys.memory import LocalKeys

_KEYS = 500
_TRIMMED_SHARE = 0.05  # of the slowest, which belong to the machine


async def measure(lookups: int) -> dict[str, list[int]]:
    """Return the nanoseconds of `lookups` lookups for each kind of key, taken in turns."""
    hasher, store = Hasher(), LocalKeys()
    made = {kind: [new_secret(token_bytes).encode() for _ in range(_KEYS)] for kind in ("valid", "revoked", "unknown")}
    for kind in ("valid", "revoked"):
        for n, secret in enumerate(made[kind]):
            key = VirtualKey(f"key_{kind}_{n}", kind, hasher.stored(secret))
            await store.add(key if kind == "valid" else msgspec.structs.replace(key, revoked=1.0))
    made["malformed"] = [token_bytes(len(made["valid"][0])) for _ in range(_KEYS)]
    directory = Directory(Sources(KeyTable(), store, hasher), SystemClock(), lambda _signal: None, required=True)
    found: dict[str, list[int]] = {kind: [] for kind in made}
    gc.disable()
    for n in range(lookups):
        for kind, secrets in made.items():
            found[kind].append(await _timed(directory, Credential(secrets[n % _KEYS])))
    gc.enable()
    return found


async def _timed(directory: Directory, credential: Credential) -> int:
    began = time.perf_counter_ns()
    try:
        await directory.identify(credential)
    except GatewayError:
        return time.perf_counter_ns() - began
    return time.perf_counter_ns() - began


def welch(one: list[int], other: list[int]) -> float:
    """Return Welch's t of two samples without their slowest: beyond 4.5 one can be told from the other."""
    one, other = (sorted(each)[: int(len(each) * (1 - _TRIMMED_SHARE))] for each in (one, other))
    spread = math.sqrt(statistics.variance(one) / len(one) + statistics.variance(other) / len(other))
    return (statistics.mean(one) - statistics.mean(other)) / spread


def main() -> None:
    """Print medians, and how the refusals differ from that of an unknown key."""
    found = asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
    unknown = statistics.median(found["unknown"])
    for kind, taken in found.items():
        median = statistics.median(taken)
        share, t = (median - unknown) / unknown, welch(taken, found["unknown"])
        print(f"{kind:<10} median {median:7.0f} ns   against unknown {share:+7.2%}   t {t:+8.1f}")


if __name__ == "__main__":
    main()
