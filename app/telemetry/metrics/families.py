"""
Metric families as plain records, which can be sent to other processes; `collector` turns them into Prometheus's text.

Labels come from bounded sets only, so that callers cannot create series without limit.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import msgspec

from app.telemetry.metrics.histograms import Reading

Labels: TypeAlias = tuple[str, ...]
Rows: TypeAlias = list[tuple[Labels, float]]


class Merge(Enum):
    """How the values of several worker processes become one."""

    SUM = "sum"  # each has its own share: active requests, queue depth
    MAX = "max"  # all see the same thing, or the worst counts: states, versions
    MIN = "min"  # the oldest counts: start times


class CounterFamily(msgspec.Struct, frozen=True, tag="counter"):
    """A monotonic total for each set of label values; its samples get the suffix `_total`."""

    name: str
    text: str
    labels: Labels
    rows: Rows


class GaugeFamily(msgspec.Struct, frozen=True, tag="gauge"):
    """A number that goes up and down, for each set of label values; rows without a value are absent."""

    name: str
    text: str
    labels: Labels
    rows: Rows
    merge: Merge = Merge.SUM


class HistogramFamily(msgspec.Struct, frozen=True, tag="histogram"):
    """A distribution for each set of label values; labelled ones without a value are not shown."""

    name: str
    text: str
    labels: Labels
    rows: list[tuple[Labels, Reading]]


class Sampled(msgspec.Struct, frozen=True, tag="sampled"):
    """
    A family from a foreign collector, of Prometheus's type `kind`, as its samples; all are merged alike.
    """

    name: str
    text: str
    kind: str
    rows: list[tuple[str, tuple[tuple[str, str], ...], float]]
    merge: Merge = Merge.SUM


Family: TypeAlias = CounterFamily | GaugeFamily | HistogramFamily | Sampled
