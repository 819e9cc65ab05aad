"""A worker's totals since its start. The difference of two snapshots is the activity in between."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec.structs import astuple

from app.telemetry.metrics.families import CounterFamily, Family, HistogramFamily
from app.telemetry.metrics.histograms import DURATION_S, FIRST_TOKEN_S, OVERHEAD_S, Reading

_FAULT: Final = 500
_WRONG: Final = 400
_LEFT: Final = "499"


class Spread(msgspec.Struct, frozen=True):
    """The number of values in each bucket with these upper bounds, and in one bucket above them."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]

    def __add__(self, other: Spread) -> Spread:
        return Spread(self.bounds, tuple(map(operator.add, self.counts, other.counts)))

    def __sub__(self, earlier: Spread) -> Spread:
        return Spread(self.bounds, tuple(map(operator.sub, self.counts, earlier.counts)))

    def percentile(self, share: float) -> float | None:
        """Return the value that `share` (0 to 1) of all values do not exceed, interpolated; None without values."""
        left = share * sum(self.counts)
        if left == 0:
            return None
        low = 0.0
        for bound, count in zip(self.bounds, self.counts, strict=False):
            if count >= left:
                return low + (bound - low) * left / count
            left -= count
            low = bound
        return low


class Totals(msgspec.Struct, frozen=True):
    """
    Finished calls by outcome, tokens, and times in seconds.

    `failed`: 5xx, the gateway's or a provider's fault. `refused`: 4xx, the caller's fault. `left`: the client
    disconnected.
    """

    calls: int = 0
    failed: int = 0
    refused: int = 0
    left: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    durations: Spread = Spread(DURATION_S, (0,) * (len(DURATION_S) + 1))
    first_tokens: Spread = Spread(FIRST_TOKEN_S, (0,) * (len(FIRST_TOKEN_S) + 1))
    overheads: Spread = Spread(OVERHEAD_S, (0,) * (len(OVERHEAD_S) + 1))

    def __add__(self, other: Totals) -> Totals:
        return Totals(*map(operator.add, astuple(self), astuple(other)))

    def __sub__(self, earlier: Totals) -> Totals:
        return Totals(*map(operator.sub, astuple(self), astuple(earlier)))


def totals_of(families: Iterable[Family]) -> Totals:
    """Add up what the metrics of calls show."""
    found = {family.name: family for family in families}
    statuses: dict[str, int] = {}
    tokens: dict[str, int] = {}
    for name, sums in (("wizard_requests", statuses), ("wizard_tokens", tokens)):
        family = found.get(name)
        for labels, count in family.rows if isinstance(family, CounterFamily) else ():
            sums[labels[-1]] = sums.get(labels[-1], 0) + int(count)
    calls = sum(statuses.values())
    failed = sum(count for status, count in statuses.items() if int(status) >= _FAULT)
    left = statuses.get(_LEFT, 0)
    refused = sum(count for status, count in statuses.items() if _WRONG <= int(status) < _FAULT) - left
    return Totals(
        calls,
        failed,
        refused,
        left,
        tokens.get("prompt", 0),
        tokens.get("completion", 0),
        _spread(found.get("wizard_request_duration_seconds"), Totals().durations),
        _spread(found.get("wizard_time_to_first_token_seconds"), Totals().first_tokens),
        _spread(found.get("wizard_overhead_seconds"), Totals().overheads),
    )


def spread_of(reading: Reading) -> Spread:
    """Turn cumulative counts into the count of each bucket."""
    below = (0, *reading.cumulative[:-1])
    return Spread(reading.bounds, tuple(map(operator.sub, reading.cumulative, below)))


def _spread(family: Family | None, spread: Spread) -> Spread:
    for _, reading in family.rows if isinstance(family, HistogramFamily) else ():
        spread += spread_of(reading)
    return spread
