"""Counts what guards complain of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import GuardComplained
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted


class GuardCounts:
    """Complaints by guard, side and what became of them; guards are as many as are configured."""

    def __init__(self) -> None:
        self._complaints: dict[tuple[str, str, str], int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count complaints."""
        return (counted(GuardComplained, self._complained),)

    def families(self) -> Iterator[Family]:
        """Yield the number of complaints."""
        yield CounterFamily(
            "wizard_guard_complaints",
            "Prompts and answers that a guard complained of: observe, flag, block, retry.",
            ("guard", "side", "action"),
            [*self._complaints.items()],
        )

    def _complained(self, signal: GuardComplained) -> None:
        labels = signal.guard, signal.side, signal.action
        self._complaints[labels] = self._complaints.get(labels, 0) + 1
