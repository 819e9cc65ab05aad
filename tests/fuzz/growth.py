"""
How the time of every target grows with what an attacker would repeat: `python -m tests.fuzz.growth`.

The tests count lines of Python; what C code does for one line only time shows, so this is a report to be run by hand.
It fails if four times as much takes more than nine times as long.
"""

from __future__ import annotations

import logging
import sys
import time

from tests.fuzz.targets.all import TARGETS
from tests.fuzz.targets.target import Target

SMALL_BYTES, TIMES, WORST = 65_536, 4, 9.0
LEAST_S = 0.01  # below that the machine is louder than the code


def main() -> int:
    """Print a line for each; return 1 if one is too slow."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    slow = 0
    for target in TARGETS.values():
        for index, (_, unit, _) in enumerate(target.growing):
            few = max(1, SMALL_BYTES // len(unit))
            small_s, large_s = _seconds(target, index, few), _seconds(target, index, few * TIMES)
            ratio = large_s / max(small_s, LEAST_S)
            slow += ratio > WORST
            print(f"{target.name:14} {unit[:24]!r:32} {small_s:8.3f} s {large_s:8.3f} s  x{ratio:.1f}")  # noqa: T201
    return 1 if slow else 0


def _seconds(target: Target, index: int, times: int) -> float:
    data = target.grown(index, times)
    started = time.process_time()
    target.one(data)
    return time.process_time() - started


if __name__ == "__main__":
    sys.exit(main())
