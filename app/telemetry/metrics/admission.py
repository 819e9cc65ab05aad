"""Counts the admission queue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import AdmissionLimitChanged, CallQueued, CallUnqueued, ConfigReloaded
from app.core.traffic.admission import Priority
from app.telemetry.metrics.families import Family, GaugeFamily, HistogramFamily
from app.telemetry.metrics.histograms import QUEUE_WAIT_S, Histogram
from app.telemetry.metrics.part import Counted, counted


class AdmissionCounts:
    """The queue and its limit."""

    def __init__(self) -> None:
        self._depths = {priority.word: 0 for priority in Priority}
        self._waits = Histogram(QUEUE_WAIT_S)
        self._limit: int | None = None

    def counts(self) -> Iterable[Counted]:
        """Count calls that enter and leave the queue."""
        return (
            counted(CallQueued, self._queued),
            counted(CallUnqueued, self._unqueued),
            counted(AdmissionLimitChanged, self._limit_changed),
            counted(ConfigReloaded, self._reloaded),
        )

    def families(self) -> Iterator[Family]:
        """Yield the state of the queue; the limit has no row if there is none."""
        yield GaugeFamily(
            "wizard_queue_depth",
            "Calls that wait for a place.",
            ("priority",),
            [((priority,), depth) for priority, depth in self._depths.items()],
        )
        yield HistogramFamily(
            "wizard_queue_wait_seconds",
            "Time that calls which had to wait for a place did so, whatever became of them.",
            (),
            [((), self._waits.read())],
        )
        limit = self._limit
        yield GaugeFamily(
            "wizard_admission_limit",
            "Calls that may be worked on at the same time.",
            (),
            [] if limit is None else [((), limit)],
        )

    def _queued(self, signal: CallQueued) -> None:
        self._depths[signal.priority] += 1

    def _unqueued(self, signal: CallUnqueued) -> None:
        self._depths[signal.priority] = max(0, self._depths[signal.priority] - 1)
        self._waits.observe(signal.wait_s)

    def _limit_changed(self, signal: AdmissionLimitChanged) -> None:
        self._limit = signal.limit

    def _reloaded(self, _signal: ConfigReloaded) -> None:
        self._limit = None  # the next call announces the new limit, if there is one
