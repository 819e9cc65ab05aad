"""Counts calls that rate limits kept out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import LimitExceeded
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted
from app.telemetry.metrics.targets import OTHER

NAMES_MAX = 200  # keys have limits with names of their own


class LimitCounts:
    """Refusals by the name of the limit, and those that a limit in shadow would have made."""

    def __init__(self) -> None:
        self._refused: dict[str, int] = {}
        self._shadowed: dict[str, int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count every time that a limit is exceeded."""
        return (counted(LimitExceeded, self._exceeded),)

    def families(self) -> Iterator[Family]:
        """Yield both."""
        yield CounterFamily(
            "wizard_rate_limited",
            "Calls (and attempts, for limits per model or provider) that a rate limit refused.",
            ("limit",),
            [((limit,), count) for limit, count in [*self._refused.items()]],
        )
        yield CounterFamily(
            "wizard_rate_limited_shadow",
            "Calls that a rate limit would have refused if it were not in shadow.",
            ("limit",),
            [((limit,), count) for limit, count in [*self._shadowed.items()]],
        )

    def _exceeded(self, signal: LimitExceeded) -> None:
        counts = self._shadowed if signal.shadow else self._refused
        name = signal.limit if signal.limit in counts or len(counts) < NAMES_MAX else OTHER
        counts[name] = counts.get(name, 0) + 1
