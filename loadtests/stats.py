"""Medians and percentiles of the benchmark; `None` stands for a figure that could not be taken."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float


def spread(rounds: Iterable[float | None]) -> Spread | None:
    """Summarise the rounds that have a figure; `None` if none has."""
    figures = [figure for figure in rounds if figure is not None]
    if not figures:
        return None
    return Spread(statistics.median(figures), min(figures), max(figures))


def percentile(figures: Sequence[float], share: float) -> float | None:
    """
    Find the smallest figure that at least `share` (0 to 1) of all figures do not exceed (the nearest rank).

    Interpolating would invent latencies that nobody saw.
    """
    if not figures:
        return None
    rank = max(1, math.ceil(share * len(figures)))
    return sorted(figures)[rank - 1]


def ratio(figures: Sequence[float | None], base: Sequence[float | None]) -> float | None:
    """
    Find the median of the ratios, round by round, of two series measured in turns; `None` if there is none.

    A slow moment of the machine falls on both figures of a pair, so this is steadier than dividing two medians.
    """
    pairs = zip(figures, base, strict=False)
    found = spread(figure / below for figure, below in pairs if figure is not None and below)
    return found.median if found else None


def quotient(amount: float | None, count: int) -> float | None:
    """Divide an amount among `count` things; `None` if there are none."""
    if amount is None or count == 0:
        return None
    return amount / count
