"""Counts answers that broke off in the middle, on routes that go on with such answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import StreamNotRecovered, StreamRecovered
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted


class RecoveryCounts:
    """Broken answers by what became of them; those that never were are zero."""

    def __init__(self) -> None:
        self._recoveries = {"resumed": 0, "unfit": 0, "spent": 0, "unable": 0, "failed": 0}

    def counts(self) -> Iterable[Counted]:
        """Count a break once, when it is known whether anybody goes on."""
        return (counted(StreamRecovered, self._resumed), counted(StreamNotRecovered, self._not_resumed))

    def families(self) -> Iterator[Family]:
        """Yield the outcomes."""
        yield CounterFamily(
            "wizard_stream_recoveries",
            "Streams of recovering routes that broke off: resumed (another target went on), unfit (more than text was "
            "shown), spent (too often), unable (no target can go on), failed (those that can did not).",
            ("outcome",),
            [((outcome,), count) for outcome, count in self._recoveries.items()],
        )

    def _resumed(self, _signal: StreamRecovered) -> None:
        self._recoveries["resumed"] += 1

    def _not_resumed(self, signal: StreamNotRecovered) -> None:
        self._recoveries[signal.reason] += 1
