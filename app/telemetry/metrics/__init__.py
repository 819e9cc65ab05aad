"""
Counts signals, and shows the counts to Prometheus.

A *part* (`part.py`) declares which signals it counts and its metric families. Most parts are one number: one entry in
`plain.py` each. The others are classes in files of their own, listed in `Metrics`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from app.core.signals import (
    AdminActed,
    BudgetExhausted,
    DrainEnded,
    HedgeStarted,
    InternalFault,
    KeySetAside,
    Listener,
    LocalModelChanged,
    Overloaded,
    ProviderHealthChanged,
    Signal,
    WorkerReplaced,
)
from app.telemetry.metrics.admission import AdmissionCounts
from app.telemetry.metrics.calls import CallCounts
from app.telemetry.metrics.circuits import CircuitCounts
from app.telemetry.metrics.disconnects import DisconnectCounts
from app.telemetry.metrics.part import Counted, Part
from app.telemetry.metrics.plain import plain_parts
from app.telemetry.metrics.targets import LABEL_SETS_MAX

# The log tells these; what a fault did to its call is counted with the call, and keys are asked when they are shown.
# Every call that a budget refuses is counted, not only the first.
# Workers are replaced by their parent, which tells those it has (`on_scrape.workers_replaced`).
UNCOUNTED: Final = frozenset(
    {
        AdminActed,
        BudgetExhausted,
        HedgeStarted,
        InternalFault,
        LocalModelChanged,
        Overloaded,
        KeySetAside,
        ProviderHealthChanged,
        DrainEnded,
        WorkerReplaced,
    }
)


class Metrics:
    """
    The listener that counts. Written by one thread; any thread may read the parts at any time.

    Args:
        label_sets_max: How many pairs of provider and model get series of their own, and how many fallbacks (from,
            to, reason); later ones are counted as `other`.
    """

    def __init__(self, *, label_sets_max: int = LABEL_SETS_MAX) -> None:
        self.parts: tuple[Part, ...] = (
            CallCounts(label_sets_max),
            CircuitCounts(),
            AdmissionCounts(),
            DisconnectCounts(),
            *plain_parts(label_sets_max),
        )
        self._counts = _by_kind(entry for part in self.parts for entry in part.counts())

    def __call__(self, signal: Signal) -> None:
        """Count a signal."""
        for count in self.ears(type(signal)):
            count(signal)

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Return the functions that count signals of a type."""
        return self._counts.get(kind, ())

    def counted(self) -> frozenset[type[msgspec.Struct]]:
        """Return the types of all counted signals."""
        return frozenset(self._counts)


def _by_kind(entries: Iterable[Counted]) -> Mapping[type[msgspec.Struct], tuple[Callable[[Any], None], ...]]:
    found: dict[type[msgspec.Struct], tuple[Callable[[Any], None], ...]] = {}
    for kind, count in entries:
        found[kind] = (*found.get(kind, ()), count)
    return found
