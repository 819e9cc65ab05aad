"""Shows whether shared state can be reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import StateDegraded
from app.telemetry.metrics.families import Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted, counted


class StateHealth:
    """1 from the loss to the return."""

    def __init__(self) -> None:
        self._degraded = False

    def counts(self) -> Iterable[Counted]:
        """Note losses and returns."""
        return (counted(StateDegraded, self._changed),)

    def families(self) -> Iterator[Family]:
        """Yield the present state."""
        text = "1 while shared state is out of reach."
        yield GaugeFamily("wizard_state_degraded", text, (), [((), int(self._degraded))], Merge.MAX)

    def _changed(self, signal: StateDegraded) -> None:
        self._degraded = signal.degraded
