"""Merges the metric families of several workers into one exposition."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, TypeVar

from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, HistogramFamily, Merge, Sampled
from app.telemetry.metrics.histograms import Reading

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

_RULES: Final[Mapping[Merge, Callable[[float, float], float]]] = MappingProxyType(
    {Merge.SUM: operator.add, Merge.MAX: max, Merge.MIN: min}
)
_TOTALS: Final = frozenset({"counter", "histogram", "summary"})


def merged(workers: Iterable[Sequence[Family]]) -> list[Family]:
    """Return each family once with the rows of all workers, in order of first appearance."""
    found: dict[str, Family] = {}
    for families in workers:
        for family in families:
            known = found.get(family.name)
            found[family.name] = family if known is None else _both(known, family)
    return list(found.values())


def lasting(families: Iterable[Family]) -> list[Family]:
    """Return the families of a dead worker that still count: its totals, not its gauges."""
    return [family for family in families if not _is_gauge(family)]


def _is_gauge(family: Family) -> bool:
    return family.kind not in _TOTALS if isinstance(family, Sampled) else isinstance(family, GaugeFamily)


def _both(one: Family, other: Family) -> Family:
    match one, other:
        case CounterFamily(), CounterFamily():
            return CounterFamily(one.name, one.text, one.labels, _joined(one.rows, other.rows, operator.add))
        case GaugeFamily(), GaugeFamily():
            rows = _joined(one.rows, other.rows, _RULES[one.merge])
            return GaugeFamily(one.name, one.text, one.labels, rows, one.merge)
        case HistogramFamily(), HistogramFamily():
            return HistogramFamily(one.name, one.text, one.labels, _joined(one.rows, other.rows, Reading.plus))
        case Sampled(), Sampled():
            rule = _RULES[one.merge]
            pairs = _joined([((a, b), c) for a, b, c in one.rows], [((a, b), c) for a, b, c in other.rows], rule)
            return Sampled(one.name, one.text, one.kind, [(a, b, c) for (a, b), c in pairs], one.merge)
        case _:
            return one  # workers of two versions: the scraped one wins


def _joined(one: Iterable[tuple[K, V]], other: Iterable[tuple[K, V]], rule: Callable[[V, V], V]) -> list[tuple[K, V]]:
    rows = dict(one)
    for key, value in other:
        rows[key] = rule(rows[key], value) if key in rows else value
    return list(rows.items())
