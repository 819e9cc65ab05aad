"""
Shows how targets stand: their circuits and their reliability, asked for when somebody looks.

Both are known by target, and any model name may become a target; so only a bounded number of them, those that came
first, is shown at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from app.core.circuits import CircuitState, CircuitView
from app.telemetry.metrics.families import Family, GaugeFamily, Merge
from app.telemetry.metrics.targets import LABEL_SETS_MAX, fit

T = TypeVar("T")


class Admitted:
    """The targets that are shown. A target once shown stays, so that their number over time is bounded too."""

    def __init__(self, label_sets_max: int = LABEL_SETS_MAX) -> None:
        self._label_sets_max = label_sets_max
        self._known: set[str] = set()

    def rows(self, found: Iterable[tuple[str, T]]) -> Iterator[tuple[tuple[str, str], T]]:
        """Yield provider and model of each shown target, with its value."""
        for target, fact in found:
            if target not in self._known:
                if len(self._known) >= self._label_sets_max or not fit(target):
                    continue
                self._known.add(target)
            provider, _, model = target.partition("/")
            yield (provider, model), fact


def circuit_standings(admitted: Admitted, views: Callable[[], Iterable[CircuitView]]) -> Iterator[Family]:
    """
    Yield the time that circuits have been in their states, and their failure ratios.

    Shows every target that had a call in the window or whose circuit is not closed. A shared circuit that was never
    anything but closed has no time, because nothing recorded its start.
    """
    active = [view for view in views() if view.calls or view.state is not CircuitState.CLOSED]
    rows = list(admitted.rows((view.target, view) for view in active))
    yield GaugeFamily(
        "wizard_circuit_in_state_seconds",
        "Time since a target's circuit changed to the state that it is in.",
        ("provider", "model", "state"),
        [((*labels, view.state.value), view.age_s) for labels, view in rows if view.age_s],
        Merge.MAX,
    )
    yield GaugeFamily(
        "wizard_circuit_failure_ratio",
        "Share of failures, 0 to 1, among a target's calls in the window of its closed circuit.",
        ("provider", "model"),
        [(labels, view.failures / view.calls) for labels, view in rows if view.calls],
        Merge.MAX,
    )


def reliabilities(admitted: Admitted, found: Callable[[], Iterable[tuple[str, float]]]) -> Iterator[Family]:
    """Yield the reliability of targets; of several workers, the lowest counts."""
    yield GaugeFamily(
        "wizard_target_reliability",
        "Score of a target's last twenty attempts or so: 1 none failed, 0 all did.",
        ("provider", "model"),
        list(admitted.rows(found())),
        Merge.MIN,
    )
