"""Counts answers that are read on after their clients disconnected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import CallEnded, ClientLeft, StreamResumed
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted, counted


class DisconnectCounts:
    """Answers without a client: how many are open, and how the others ended."""

    def __init__(self) -> None:
        self._now: set[str] = set()
        self._ended = {"completed": 0, "failed": 0, "abandoned": 0, "refused": 0}

    def counts(self) -> Iterable[Counted]:
        """Count a call when its client leaves or comes back, and when it ends."""
        yield counted(ClientLeft, self._left)
        yield counted(StreamResumed, self._resume)
        yield counted(CallEnded, self._end)

    def families(self) -> Iterator[Family]:
        """Yield the open ones and the outcomes."""
        text = "Answers that are being read on after their clients left."
        yield GaugeFamily("wizard_drained_active", text, (), [((), len(self._now))], Merge.SUM)
        yield CounterFamily(
            "wizard_drained",
            "Answers of clients that left, where they are to be read on: completed, failed, "
            "abandoned (nobody came back in time, or the process ended first), refused (too many at once).",
            ("outcome",),
            [((outcome,), count) for outcome, count in self._ended.items()],
        )

    def _left(self, signal: ClientLeft) -> None:
        if signal.drained:
            self._now.add(signal.request_id)
        else:
            self._ended["refused"] += 1

    def _resume(self, signal: StreamResumed) -> None:
        self._now.discard(signal.request_id)

    def _end(self, signal: CallEnded) -> None:
        self._now.discard(signal.request_id)  # also if the stream was resumed at another process, which counts that
        if signal.drained is not None:
            self._ended[signal.drained] += 1
