"""
Counts what happens, and shows it.

Each topic is a *part* (`part.py`): plain counters that say which signals they count and how they look. A new topic
adds a file with a part, and names it in `counting_parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec

from app.core.signals import (
    AdminActed,
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
from app.telemetry.metrics.attempts import AttemptCounts
from app.telemetry.metrics.calls import CallCounts
from app.telemetry.metrics.circuits import CircuitCounts
from app.telemetry.metrics.configuration import ConfigCounts
from app.telemetry.metrics.guards import GuardCounts
from app.telemetry.metrics.hedging import HedgeCounts
from app.telemetry.metrics.identity import IdentityCounts
from app.telemetry.metrics.leaving import LeavingCounts
from app.telemetry.metrics.lifecycle import LifecycleState
from app.telemetry.metrics.limits import LimitCounts
from app.telemetry.metrics.part import Counted, Part
from app.telemetry.metrics.recovery import RecoveryCounts
from app.telemetry.metrics.redaction import RedactionCounts
from app.telemetry.metrics.repeats import RepeatCounts
from app.telemetry.metrics.sessions import SessionCounts
from app.telemetry.metrics.spending import SpendingCounts
from app.telemetry.metrics.state import StateHealth
from app.telemetry.metrics.targets import LABEL_SETS_MAX, Targets

# The log tells these; what a fault did to its call is counted with the call, and keys are asked when they are shown.
UNCOUNTED: Final = frozenset(
    {
        AdminActed,
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


def counting_parts(label_sets_max: int) -> tuple[Part, ...]:
    """Return the parts that count signals, in the order in which they are shown."""
    targets = Targets(label_sets_max)
    return (
        CallCounts(targets),
        AttemptCounts(targets, label_sets_max),
        HedgeCounts(),
        RecoveryCounts(),
        CircuitCounts(),
        StateHealth(),
        AdmissionCounts(),
        IdentityCounts(),
        SessionCounts(),
        RepeatCounts(),
        LeavingCounts(),
        LimitCounts(),
        RedactionCounts(),
        GuardCounts(),
        ConfigCounts(),
        LifecycleState(),
        SpendingCounts(targets),
    )


class Metrics:
    """
    A listener that counts. Written by one thread; its parts may be shown by others at any time.

    Args:
        label_sets_max: How many pairs of provider and model get series of their own, and how many fallbacks (from,
            to, reason); later ones are counted as `other`.
    """

    def __init__(self, *, label_sets_max: int = LABEL_SETS_MAX) -> None:
        self.parts = counting_parts(label_sets_max)
        self._counts = _by_kind(entry for part in self.parts for entry in part.counts())

    def __call__(self, signal: Signal) -> None:
        """Count a signal."""
        for count in self.ears(type(signal)):
            count(signal)

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Return what counts signals of a type."""
        return self._counts.get(kind, ())

    def counted(self) -> frozenset[type[msgspec.Struct]]:
        """Return the types of signals that some part counts."""
        return frozenset(self._counts)


def _by_kind(entries: Iterable[Counted]) -> Mapping[type[msgspec.Struct], tuple[Callable[[Any], None], ...]]:
    found: dict[type[msgspec.Struct], tuple[Callable[[Any], None], ...]] = {}
    for kind, count in entries:
        found[kind] = (*found.get(kind, ()), count)
    return found
