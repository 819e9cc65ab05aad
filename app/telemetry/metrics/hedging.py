"""Counts what second targets were good for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import HedgeEnded
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted


class HedgeCounts:
    """Hedges by outcome; those that never were are zero."""

    def __init__(self) -> None:
        self._hedges = {"won": 0, "lost": 0, "failed": 0, "abandoned": 0}

    def counts(self) -> Iterable[Counted]:
        """Count a hedge once, when its outcome is known."""
        return (counted(HedgeEnded, self._ended),)

    def families(self) -> Iterator[Family]:
        """Yield the outcomes."""
        yield CounterFamily(
            "wizard_hedges",
            "Second targets asked while the first was silent: "
            "won (it answered), lost (the first did), failed, abandoned.",
            ("outcome",),
            [((outcome,), count) for outcome, count in self._hedges.items()],
        )

    def _ended(self, signal: HedgeEnded) -> None:
        self._hedges[signal.outcome] += 1
