"""
How signals of one type become log events: names, fields and level.

By default a signal becomes one event with the signal's own fields; seconds become milliseconds (`pause_s` becomes
`pause_ms`), and a few fields are renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from app.core.signals import Signal
from app.telemetry.rendering import Fields

S = TypeVar("S", bound=Signal)
# Name and fields; None and empty fields are omitted from the line. The fields of the events of every call are structs,
# which msgspec encodes without them.
Event: TypeAlias = tuple[str, Fields | msgspec.Struct]

_CALLED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "category": "kind",
        "first_token_s": "ttft_ms",
        "key_id": "key",
        "lasted_s": "duration_ms",
        "onward": "to",
        "origin": "from",
    }
)


class EventSpec(msgspec.Struct, frozen=True):
    """
    How signals of one type become events.

    `level` is a number of the standard library, at least INFO, or a function that returns it; `events` returns the
    events of a signal in order.
    """

    kind: type[msgspec.Struct]
    level: int | Callable[[Any], int]
    events: Callable[[Any], list[Event]]


def lines(kind: type[S], level: int | Callable[[S], int], found: Callable[[S], list[Event]]) -> EventSpec:
    """Return the spec of signals of type `kind` whose events the function `found` makes."""
    return EventSpec(kind, level, found)


def line(
    kind: type[S], level: int | Callable[[S], int], event: str | Callable[[S], str], **names: str | None
) -> EventSpec:
    """Return the spec of signals that become one event; `names` renames fields, None omits one."""
    called = {field: _called(field) for field in kind.__struct_fields__} | names
    fields = [(name, _reading(field)) for field, name in called.items() if name is not None]

    def found(signal: S) -> list[Event]:
        return [(event if isinstance(event, str) else event(signal), {name: read(signal) for name, read in fields})]

    return EventSpec(kind, level, found)


def fields_of(event: Event) -> Fields:
    """Return the fields of an event as a dictionary."""
    fields = event[1]
    return msgspec.to_builtins(fields) if isinstance(fields, msgspec.Struct) else fields


def ms(seconds: float | None) -> float | None:
    """Convert to milliseconds with three decimals, several times as fast as `round(x, 3)`."""
    return None if seconds is None else round(seconds * 1_000_000) / 1000


def _called(field: str) -> str | None:
    return _CALLED.get(field, f"{field.removesuffix('_s')}_ms" if field.endswith("_s") else field)


def _reading(field: str) -> Callable[[Any], Any]:
    read = attrgetter(field)
    return (lambda signal: ms(read(signal))) if field.endswith("_s") else read
