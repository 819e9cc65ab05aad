"""The interface of a part of the metrics: the counters of one topic, the signals they count, and their exposition."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from app.core.signals import Signal
from app.telemetry.metrics.families import Family

S = TypeVar("S", bound=Signal)
Counted: TypeAlias = tuple[type[msgspec.Struct], Callable[[Any], None]]  # made by `counted`, which checks the types


class Part(Protocol):
    """
    One topic. Written by the event loop's thread only; any thread may read it at the same time.

    A part that is read at each scrape counts nothing.
    """

    def counts(self) -> Iterable[Counted]:
        """Return the types of signals that are counted, each with the function that counts it."""
        ...

    def families(self) -> Iterator[Family]:
        """Yield each metric with its current values: always the same names, even before the first signal."""
        ...


def counted(kind: type[S], count: Callable[[S], None]) -> Counted:
    """Pair a type of signals with the function that counts them."""
    return kind, count
