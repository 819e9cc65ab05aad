"""
Counters and histograms as plain Python numbers.

One update costs a dictionary look-up or a bisection, about a tenth of what a child of prometheus_client costs;
`collector` turns them into metric families when somebody asks.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

import msgspec

# Seconds. Answers of models take from a fraction of a second to minutes; the timeouts end at 300 by default.
DURATION_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0)
FIRST_TOKEN_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
OVERHEAD_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
QUEUE_WAIT_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TOKENS_PER_S: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0, 2000.0)


class Reading(msgspec.Struct, frozen=True):
    """A histogram at one moment: upper bounds, how many values were at most each of them (and all), their sum."""

    bounds: tuple[float, ...]
    cumulative: tuple[int, ...]
    total: float


class Histogram:
    """Counts values by the smallest of the ascending `bounds` that they do not exceed."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)  # the last one is for everything above
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Reading:
        """Return the present state; may be called from another thread."""
        return Reading(self._bounds, tuple(accumulate(list(self._counts))), self._total)
