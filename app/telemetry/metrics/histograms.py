"""
Histograms as plain Python numbers, and their bounds.

One update costs a dictionary look-up or a bisection, about a tenth of what a child of prometheus_client costs;
`collector` turns them into metric families when somebody asks.
"""

from __future__ import annotations

import operator
from bisect import bisect_left
from itertools import accumulate
from typing import Final

import msgspec

# Seconds. Answers of models take from a fraction of a second to minutes; the timeouts end at 300 by default.
DURATION_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 90.0, 120.0, 180.0, 300.0)
FIRST_TOKEN_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
GAP_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0)
OVERHEAD_S: Final = (0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)
QUEUE_WAIT_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
TOKENS_PER_S: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0, 75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0, 2000.0)


class Mark(msgspec.Struct, frozen=True):
    """The last value in a bucket with the call it came from; a call that is traced is known by its trace."""

    value: float
    request_id: str
    trace_id: str


class Reading(msgspec.Struct, frozen=True):
    """
    A histogram at one moment: upper bounds, how many values were at most each of them (and all), their sum.

    `marks` has an example for each bucket that is not empty, if any are kept.
    """

    bounds: tuple[float, ...]
    cumulative: tuple[int, ...]
    total: float
    marks: tuple[Mark | None, ...] = ()

    def plus(self, other: Reading) -> Reading:
        """Return both together; of other bounds than these, which only another version has, nothing is added."""
        if other.bounds != self.bounds:
            return self
        cumulative = tuple(map(operator.add, self.cumulative, other.cumulative))
        marks = tuple([mine or theirs for mine, theirs in zip(self.marks, other.marks, strict=True)])
        return Reading(self.bounds, cumulative, self.total + other.total, marks)


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


class MarkedHistogram(Histogram):
    """Keeps the last call of each bucket as its example."""

    __slots__ = ("_marks",)

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__(bounds)
        self._marks: list[tuple[float, str, str] | None] = [None] * (len(bounds) + 1)

    def mark(self, value: float, request_id: str, trace_id: str) -> None:
        """Count one value, and keep where it came from; made for speed, like `observe`."""
        place = bisect_left(self._bounds, value)
        self._counts[place] += 1
        self._total += value
        self._marks[place] = (value, request_id, trace_id)

    def read(self) -> Reading:
        """Return the present state with the examples; may be called from another thread."""
        marks = tuple([None if mark is None else Mark(*mark) for mark in list(self._marks)])
        return msgspec.structs.replace(super().read(), marks=marks)
