"""Counts calls that got the answer of an earlier one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import CallRepeated
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted


class RepeatCounts:
    """Repeats, which no provider saw."""

    def __init__(self) -> None:
        self._repeated = 0

    def counts(self) -> Iterable[Counted]:
        """Count repeats."""
        return (counted(CallRepeated, self._repeat),)

    def families(self) -> Iterator[Family]:
        """Yield the count."""
        text = "Calls that got the answer of an earlier call with the same idempotency key."
        yield CounterFamily("wizard_idempotent_replays", text, (), [((), self._repeated)])

    def _repeat(self, _signal: CallRepeated) -> None:
        self._repeated += 1
