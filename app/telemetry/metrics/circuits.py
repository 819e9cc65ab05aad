"""
Counts the states and transitions of circuits, by provider.

There is one circuit per target, and any model name may become a target, so a provider shows the worst of its targets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from app.core.circuits import CircuitState
from app.core.signals import ELSEWHERE, AttemptEnded, CircuitChanged
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted, counted

_LEVELS: Mapping[str, int] = MappingProxyType(
    {CircuitState.CLOSED.value: 0, CircuitState.HALF_OPEN.value: 1, CircuitState.OPEN.value: 2}
)


class CircuitCounts:
    """
    States and transitions.

    A transition decided by another replica changes the state, but is not counted, or sums over replicas would be wrong.
    """

    def __init__(self) -> None:
        self._levels: dict[str, dict[str, int]] = {}
        self._transitions: dict[tuple[str, str, str], int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count transitions; attempts make providers known whose circuits never left closed."""
        return (counted(CircuitChanged, self._changed), counted(AttemptEnded, self._tried))

    def families(self) -> Iterator[Family]:
        """Yield the worst state of each provider ever used, and all transitions."""
        levels = [(provider, list(models.values())) for provider, models in list(self._levels.items())]
        yield GaugeFamily(
            "wizard_circuit_state",
            "The worst state among the circuits of a provider's targets: 0 closed, 1 half-open, 2 open.",
            ("provider",),
            [((provider,), max(found, default=0)) for provider, found in levels],
            Merge.MAX,
        )
        yield CounterFamily(
            "wizard_circuit_transitions",
            "Changes of state that this process decided.",
            ("provider", "from", "to"),
            list(self._transitions.items()),
        )

    def _tried(self, signal: AttemptEnded) -> None:
        if signal.provider not in self._levels:
            self._levels[signal.provider] = {}

    def _changed(self, signal: CircuitChanged) -> None:
        levels = self._levels.setdefault(signal.provider, {})
        level = _LEVELS[signal.now]
        if level:
            levels[signal.model] = level
        else:
            levels.pop(signal.model, None)
        if signal.reason != ELSEWHERE:
            key = (signal.provider, signal.before, signal.now)
            self._transitions[key] = self._transitions.get(key, 0) + 1
