"""
What a part shows: metric families as plain records, which other processes can be told and `collector` translates.

Labels come from bounded sets only: no caller can make new ones without end.
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

    SUM = "sum"  # each has its own share: active requests, places in a queue
    MAX = "max"  # all look at the same thing, or the worst counts: states, versions
    MIN = "min"  # the oldest counts: times of starts


class CounterFamily(msgspec.Struct, frozen=True, tag="counter"):
    """A total that only grows, for each set of label values; its samples get the suffix `_total`."""

    name: str
    text: str
    labels: Labels
    rows: Rows


class GaugeFamily(msgspec.Struct, frozen=True, tag="gauge"):
    """A number that goes up and down, for each set of label values; no row where there is nothing to say."""

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
    A family of somebody else's making, of Prometheus's type `kind`.

    Its samples are known by their names and labels only; all are merged alike.
    """

    name: str
    text: str
    kind: str
    rows: list[tuple[str, tuple[tuple[str, str], ...], float]]
    merge: Merge = Merge.SUM


Family: TypeAlias = CounterFamily | GaugeFamily | HistogramFamily | Sampled
