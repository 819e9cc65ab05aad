"""
The single values of some settings, each with its place.

Entries of a list that have names (`keys`, `limits`) are found under them rather than under their positions: one that
is put in front moves the others, and changes none of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pydantic import BaseModel

from app.config.trees import Loc


@dataclass(frozen=True, slots=True)
class Leaf:
    """A value, and whether it is what stands there if nothing is written. A list of words is one, a section is none."""

    value: object
    is_default: bool


def leaves(section: BaseModel) -> dict[Loc, Leaf]:
    """Return every single value of `section` by its place."""
    return dict(_of_section(section, ()))


def _of_section(section: BaseModel, loc: Loc) -> Iterator[tuple[Loc, Leaf]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield from _of_value(value, (*loc, name), is_default=value == field.get_default(call_default_factory=True))


def _of_value(value: object, loc: Loc, *, is_default: bool) -> Iterator[tuple[Loc, Leaf]]:
    if isinstance(value, BaseModel):
        yield from _of_section(value, loc)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _of_value(inner, (*loc, str(key)), is_default=False)
    elif isinstance(value, tuple) and any(isinstance(entry, BaseModel | Mapping) for entry in value):
        for position, entry in enumerate(value):
            yield from _of_value(entry, (*loc, _name_of(entry) or position), is_default=False)
    else:
        yield loc, Leaf(value, is_default)


def _name_of(entry: object) -> str | None:
    name = entry.get("name") if isinstance(entry, Mapping) else getattr(entry, "name", None)
    return name if isinstance(name, str) and name else None
