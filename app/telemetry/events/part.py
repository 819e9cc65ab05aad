"""What every part of the log's vocabulary is: a table of one topic's signals, their levels and their events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import msgspec

from app.core.signals import Signal
from app.telemetry.rendering import Fields

S = TypeVar("S", bound=Signal)
Event: TypeAlias = tuple[str, Fields]  # its name and its fields; those that say nothing hold None or are empty


class Told(msgspec.Struct, frozen=True):
    """
    What becomes of the signals of one type; made by `told`, which checks that the functions fit the type.

    `level` is what the standard library numbers so, none below INFO, or the function that finds it; `events` returns
    the events of a signal in order.
    """

    kind: type[msgspec.Struct]
    level: int | Callable[[Any], int]
    events: Callable[[Any], list[Event]]


def told(kind: type[S], level: int | Callable[[S], int], events: Callable[[S], list[Event]]) -> Told:
    """Say what becomes of signals of type `kind`."""
    return Told(kind, level, events)


def ms(seconds: float | None) -> float | None:
    """Return milliseconds with three places; several times as fast as rounding to three places."""
    return None if seconds is None else round(seconds * 1_000_000) / 1000
