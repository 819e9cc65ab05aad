"""Summarize a load test, for people and for programs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.cli.bench.load import Tally
from app.cli.output import Colour, painted, print_table

_SHARES: Final = (0.5, 0.9, 0.95, 0.99)
_MS: Final = 1000.0


class Quantiles(msgspec.Struct, frozen=True):
    """Percentiles (nearest rank), minimum and maximum, in milliseconds."""

    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


class Figures(msgspec.Struct, frozen=True):
    """
    The results of one run. `failures` are counted by cause.

    `overhead_ms` is the gateway's own time as it reports it; `first_token_ms` is measured for streams. Else None.
    """

    requests: int
    failed: int
    failures: Mapping[str, int]
    elapsed_s: float
    requests_per_s: float
    events_per_s: float
    latency_ms: Quantiles | None
    first_token_ms: Quantiles | None
    overhead_ms: Quantiles | None


def figures(tally: Tally) -> Figures:
    """Summarize the answers."""
    succeeded = len(tally.latency_s)
    elapsed_s = max(tally.elapsed_s, 1e-9)
    return Figures(
        requests=succeeded,
        failed=tally.failures.total(),
        failures=dict(tally.failures),
        elapsed_s=round(elapsed_s, 3),
        requests_per_s=round(succeeded / elapsed_s, 1),
        events_per_s=round(tally.events / elapsed_s, 1),
        latency_ms=_quantiles([seconds * _MS for seconds in tally.latency_s]),
        first_token_ms=_quantiles([seconds * _MS for seconds in tally.first_token_s]),
        overhead_ms=_quantiles(tally.overhead_ms),
    )


def show(results: Figures) -> None:
    """Print the results for people."""
    print(f"{results.requests} good answers in {results.elapsed_s:.1f} s: {results.requests_per_s:,.1f} a second")
    if results.events_per_s:
        print(f"{results.events_per_s:,.1f} events a second")
    for cause, count in sorted(results.failures.items()):
        print(painted(f"{count} failed: {cause}", Colour.BAD))
    rows = (
        ("whole answer", results.latency_ms),
        ("first token", results.first_token_ms),
        ("gateway's own", results.overhead_ms),
    )
    measured = [(name, quantiles) for name, quantiles in rows if quantiles is not None]
    if measured:
        heads = ("ms", *Quantiles.__struct_fields__)
        print_table(
            heads, [(name, *(f"{each:.2f}" for each in msgspec.structs.astuple(row))) for name, row in measured]
        )


def _quantiles(values_ms: Sequence[float]) -> Quantiles | None:
    if not values_ms:
        return None
    ordered = sorted(values_ms)
    ranks = [ordered[max(1, math.ceil(share * len(ordered))) - 1] for share in _SHARES]
    return Quantiles(*(round(each, 3) for each in (ordered[0], *ranks, ordered[-1])))
