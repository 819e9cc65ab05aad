"""Compare the effect of two configurations, not their text, and tell which changes need a restart."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from app.config.problems import dotted
from app.config.schema import Settings
from app.config.showing import words
from app.config.trees import Loc
from app.core.configuration import Change

# Settings that a process reads only at its start. A feature that opens resources at start adds its settings here.
_AT_START: Final[Sequence[Loc]] = (
    ("server", "host"),
    ("server", "port"),
    ("server", "workers"),
    ("server", "hosts"),
    ("server", "head_max_bytes"),
    ("server", "headers_max"),
    ("server", "head_timeout_s"),
    ("server", "body_min_bytes_per_s"),
    ("server", "connections_per_address"),
    ("server", "watch"),
    ("server", "recycle"),
    ("admin", "host"),
    ("admin", "port"),
    ("redis",),
    ("idempotency", "ttl_s"),
    ("idempotency", "max_entries"),
    ("idempotency", "entry_max_bytes"),
    ("idempotency", "max_bytes"),
    ("sessions", "store"),
    ("sessions", "path"),
    ("sessions", "max_sessions"),
    ("sessions", "max_total_bytes"),
    ("upstream",),
    ("usage",),
    ("logging", "format"),
    ("metrics", "enabled"),
    ("request_log", "enabled"),
    ("request_log", "max_entries"),
    ("request_log", "store"),
    ("request_log", "path"),
)


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A single value, and whether it is the default. A list of scalars is a single value."""

    value: object
    is_default: bool


def changes(before: Settings, after: Settings) -> tuple[Change, ...]:
    """Return every setting that differs, by path; added or removed ones only if they are not at their default."""
    old, new = _leaves(before), _leaves(after)
    differences = []
    for loc in sorted({*old, *new}, key=_rank):
        was, now = old.get(loc), new.get(loc)
        if _differs(was, now):
            before_words = None if was is None else words(loc, was.value)
            after_words = None if now is None else words(loc, now.value)
            differences.append(Change(dotted(loc), before_words, after_words, _needs_restart(loc)))
    return tuple(differences)


def _differs(was: _Leaf | None, now: _Leaf | None) -> bool:
    if was is None or now is None:
        return any(leaf is not None and not leaf.is_default for leaf in (was, now))
    return was.value != now.value


def _rank(loc: Loc) -> tuple[tuple[str, int], ...]:
    return tuple([("", part) if isinstance(part, int) else (part, 0) for part in loc])


def _needs_restart(loc: Loc) -> bool:
    return any(loc[: len(fixed)] == fixed for fixed in _AT_START)


def _leaves(section: BaseModel) -> dict[Loc, _Leaf]:
    """
    Return every single value of `section` by its location.

    Named entries of a list (`keys`, `limits`) are located by name instead of position, so inserting an entry does not
    change those after it.
    """
    return dict(_section_leaves(section, ()))


def _section_leaves(section: BaseModel, loc: Loc) -> Iterator[tuple[Loc, _Leaf]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield from _value_leaves(value, (*loc, name), is_default=value == field.get_default(call_default_factory=True))


def _value_leaves(value: object, loc: Loc, *, is_default: bool) -> Iterator[tuple[Loc, _Leaf]]:
    if isinstance(value, BaseModel):
        yield from _section_leaves(value, loc)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _value_leaves(inner, (*loc, str(key)), is_default=False)
    elif isinstance(value, tuple) and any(isinstance(entry, BaseModel | Mapping) for entry in value):
        for position, entry in enumerate(value):
            yield from _value_leaves(entry, (*loc, _name_of(entry) or position), is_default=False)
    else:
        yield loc, _Leaf(value, is_default)


def _name_of(entry: object) -> str | None:
    name = entry.get("name") if isinstance(entry, Mapping) else getattr(entry, "name", None)
    return name if isinstance(name, str) and name else None
