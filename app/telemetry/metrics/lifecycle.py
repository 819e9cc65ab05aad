"""Shows whether the process is about to end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import DrainStarted
from app.telemetry.metrics.families import Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted, counted


class LifecycleState:
    """1 from the signal to the end; a scrape in between tells a restart from a crash."""

    def __init__(self) -> None:
        self._draining = False

    def counts(self) -> Iterable[Counted]:
        """Note the beginning of the end."""
        return (counted(DrainStarted, self._drains),)

    def families(self) -> Iterator[Family]:
        """Yield the present state."""
        text = "1 while the process ends and waits for open calls."
        yield GaugeFamily("wizard_draining", text, (), [((), int(self._draining))], Merge.MAX)

    def _drains(self, _signal: DrainStarted) -> None:
        self._draining = True
