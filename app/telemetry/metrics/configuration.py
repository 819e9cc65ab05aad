"""Counts readings of the configuration, and shows whether the last one could be used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from app.core.signals import ConfigRejected, ConfigReloaded
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Merge
from app.telemetry.metrics.part import Counted, counted


class ConfigCounts:
    """Reloads by outcome, and 1 while what is on disk is not what is in use."""

    def __init__(self) -> None:
        self._reloads = {"used": 0, "rejected": 0}
        self._rejected = False

    def counts(self) -> Iterable[Counted]:
        """Count both outcomes."""
        return (counted(ConfigReloaded, self._used), counted(ConfigRejected, self._refused))

    def families(self) -> Iterator[Family]:
        """Yield the totals, and the present state."""
        yield CounterFamily(
            "wizard_config_reloads",
            "Readings of the configuration after the first: used, or rejected because something is wrong with it.",
            ("outcome",),
            [((outcome,), count) for outcome, count in self._reloads.items()],
        )
        text = "1 while the configuration on disk is bad and the one before it is in use."
        yield GaugeFamily("wizard_config_rejected", text, (), [((), int(self._rejected))], Merge.MAX)

    def _used(self, _signal: ConfigReloaded) -> None:
        self._reloads["used"] += 1
        self._rejected = False

    def _refused(self, _signal: ConfigRejected) -> None:
        self._reloads["rejected"] += 1
        self._rejected = True
