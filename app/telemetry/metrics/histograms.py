"""
Histograms as plain Python numbers, and their bounds.

An update costs one bisection, about a tenth of an update in prometheus_client. `collector` renders them at a scrape.
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
    """An exemplar: the last value in a bucket and its call, identified by the trace if the call is traced."""

    value: float
    request_id: str
    trace_id: str


class Reading(msgspec.Struct, frozen=True):
    """
    A snapshot of a histogram: upper bounds, cumulative counts (the last one of all values), and the sum.

    `marks` has an exemplar for each bucket that is not empty, if the histogram keeps them.
    """

    bounds: tuple[float, ...]
    cumulative: tuple[int, ...]
    total: float
    marks: tuple[Mark | None, ...] = ()

    def plus(self, other: Reading) -> Reading:
        """Return the sum; a reading with other bounds, from a worker of another version, is ignored."""
        if other.bounds != self.bounds:
            return self
        cumulative = tuple(map(operator.add, self.cumulative, other.cumulative))
        marks = tuple([mine or theirs for mine, theirs in zip(self.marks, other.marks, strict=True)])
        return Reading(self.bounds, cumulative, self.total + other.total, marks)


class Histogram:
    """Counts values by bucket; `bounds` are the ascending upper bounds."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)  # the last one for values above all bounds
        self._total = 0.0

    def observe(self, value: float) -> None:
        """Count one value."""
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Reading:
        """Return a snapshot; safe in another thread."""
        return Reading(self._bounds, tuple(accumulate(list(self._counts))), self._total)


class MarkedHistogram(Histogram):
    """Keeps the last call of each bucket as its exemplar."""

    __slots__ = ("_marks",)

    def __init__(self, bounds: tuple[float, ...]) -> None:
        super().__init__(bounds)
        self._marks: list[tuple[float, str, str] | None] = [None] * (len(bounds) + 1)

    def mark(self, value: float, request_id: str, trace_id: str) -> None:
        """Count one value and keep its call; repeats `observe` in place of a call, for speed."""
        place = bisect_left(self._bounds, value)
        self._counts[place] += 1
        self._total += value
        self._marks[place] = (value, request_id, trace_id)

    def read(self) -> Reading:
        """Return a snapshot with the exemplars; safe in another thread."""
        marks = tuple([None if mark is None else Mark(*mark) for mark in list(self._marks)])
        return msgspec.structs.replace(super().read(), marks=marks)
