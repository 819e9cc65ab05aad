"""Counts what calls cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.money import usd
from app.core.signals import BudgetReached, Spent
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted
from app.telemetry.metrics.targets import Targets


class SpendingCounts:
    """Dollars by target, requests whose price or usage nobody knows, and budgets that come to their end."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets
        self._unpriced = 0
        self._estimated = 0
        self._reached: dict[tuple[str, str], int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count every row of the ledger, and every share of a budget that was reached."""
        return (counted(Spent, self._spent), counted(BudgetReached, self._told))

    def families(self) -> Iterator[Family]:
        """Yield money spent."""
        yield CounterFamily(
            "wizard_cost_usd",
            "US dollars that attempts cost, by the prices that are known.",
            ("provider", "model"),
            [(labels, usd(series.cost_nusd)) for labels, series in self._targets.rows() if series.cost_nusd],
        )
        yield CounterFamily(
            "wizard_unpriced_attempts", "Attempts of which nobody knows the price.", (), [((), self._unpriced)]
        )
        yield CounterFamily(
            "wizard_estimated_attempts",
            "Attempts whose usage the provider did not report, so that it was estimated.",
            (),
            [((), self._estimated)],
        )
        yield CounterFamily(
            "wizard_budget_reached",
            "Shares of budgets that spending reached.",
            ("budget", "share"),
            list(self._reached.items()),
        )

    def _spent(self, signal: Spent) -> None:
        self._estimated += signal.estimated
        if signal.cost_nusd is None:
            self._unpriced += 1
        else:
            self._targets.series(signal.provider, signal.model).cost_nusd += signal.cost_nusd

    def _told(self, signal: BudgetReached) -> None:
        labels = (signal.budget, f"{signal.share:g}")
        self._reached[labels] = self._reached.get(labels, 0) + 1
