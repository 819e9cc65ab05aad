"""Counts what was taken out of requests and answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import Redacted
from app.telemetry.metrics.families import CounterFamily, Family
from app.telemetry.metrics.part import Counted, counted


class RedactionCounts:
    """Finds by detector; there are as many as are configured."""

    def __init__(self) -> None:
        self._found: dict[str, int] = {}

    def counts(self) -> Iterable[Counted]:
        """Count finds."""
        return (counted(Redacted, self._redacted),)

    def families(self) -> Iterator[Family]:
        """Yield the number of finds."""
        yield CounterFamily(
            "wizard_redactions",
            "Things found in prompts and answers that the redaction looks for, whatever became of them.",
            ("detector",),
            [((detector,), count) for detector, count in [*self._found.items()]],
        )

    def _redacted(self, signal: Redacted) -> None:
        self._found[signal.detector] = self._found.get(signal.detector, 0) + signal.count
