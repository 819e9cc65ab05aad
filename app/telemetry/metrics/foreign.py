"""Metrics that others keep with prometheus_client's own counters: of the cold routes, and of the process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector

from app.telemetry.metrics.asked import Asked
from app.telemetry.metrics.families import Family, Merge, Sampled

_CREATED: Final = "_created"  # times of starts, which say nothing about the sum of several workers
_STARTED: Final = "process_start_time_seconds"


class Foreign(Asked):
    """Shows what is in a registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def families(self) -> Iterator[Family]:
        """Yield the samples of each of the registry's metrics."""
        for metric in self._registry.collect():
            rows = [
                (sample.name, tuple(sample.labels.items()), sample.value)
                for sample in metric.samples
                if not sample.name.endswith(_CREATED)
            ]
            merge = Merge.MIN if metric.name == _STARTED else Merge.SUM
            yield Sampled(metric.name, metric.documentation, metric.type, rows, merge)


def foreign_registry() -> CollectorRegistry:
    """Return a registry that knows the CPU time, memory and open files of this process, and has room for more."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry
