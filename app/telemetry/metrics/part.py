"""What every part of the metrics is: counters of one topic that know which signals they count and how they look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeAlias, TypeVar

import msgspec

from app.core.signals import Signal
from app.telemetry.metrics.families import Family

S = TypeVar("S", bound=Signal)
Counted: TypeAlias = tuple[type[msgspec.Struct], Callable[[Any], None]]  # made by `counted`, which checks that they fit


class Part(Protocol):
    """
    One topic. Written by one thread, the loop's; may be shown by any other at the same time.

    A part that only asks others when it is shown counts nothing.
    """

    def counts(self) -> Iterable[Counted]:
        """Return which types of signals are counted, and by what."""
        ...

    def families(self) -> Iterator[Family]:
        """Yield each metric with its present values: the same names at any time, even before anything happened."""
        ...


def counted(kind: type[S], count: Callable[[S], None]) -> Counted:
    """Say that signals of type `kind` go to `count`."""
    return kind, count
