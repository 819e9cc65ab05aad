"""Describe in words what the schema accepts at a location. The only reader of pydantic's type information."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, MinLen
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from app.config.fields import Choices, Expected
from app.config.trees import Loc

FILE_SUFFIX: Final = "_file"


@dataclass(frozen=True, slots=True)
class Shape:
    """The type accepted at one location, without `Annotated` and `| None`."""

    annotation: object
    metadata: tuple[object, ...]
    optional: bool
    field: FieldInfo | None = None

    @property
    def fields(self) -> Mapping[str, FieldInfo]:
        """The keys of a section; empty for anything else."""
        if isinstance(self.annotation, type) and issubclass(self.annotation, BaseModel):
            return self.annotation.model_fields
        return {}

    @property
    def choices(self) -> tuple[str, ...]:
        """The values that an enumerated text field accepts; empty for anything else."""
        listed = next((item.values for item in self.metadata if isinstance(item, Choices)), ())
        return listed or (get_args(self.annotation) if get_origin(self.annotation) is Literal else ())

    @property
    def is_text(self) -> bool:
        """Whether the value is written as text."""
        return self.annotation in {str, SecretStr} or bool(self.choices)

    @property
    def is_scalar(self) -> bool:
        """Whether the value is a text, number or boolean, not a list or a mapping."""
        return self.is_text or self.annotation in {bool, int, float}

    @property
    def entry(self) -> Shape | None:
        """The shape of the entries of a list; None for anything else."""
        if get_origin(self.annotation) not in {tuple, frozenset}:
            return None
        return _shape_of(get_args(self.annotation)[0])

    @property
    def default(self) -> object:
        """The default, or `PydanticUndefined` if a value is required or there is no field."""
        return self.field.get_default(call_default_factory=True) if self.field else PydanticUndefined


def shape_at(model: type[BaseModel], loc: Loc) -> Shape | None:
    """Return what `model` accepts at `loc`, or None if there is no such location.

    A last part of `[key]`, as in pydantic's errors, means the key of a mapping itself.
    """
    shape: Shape | None = Shape(model, (), optional=False)
    for part in (*loc[:-2], "[key]") if loc[-1:] == ("[key]",) else loc:
        shape = None if shape is None else _child(shape, part)
    return shape


def shape_of_field(field: FieldInfo) -> Shape:
    """Return the shape of a field."""
    shape = _shape_of(field.annotation)
    return Shape(shape.annotation, (*field.metadata, *shape.metadata), shape.optional, field)


def secret_in_file(model: type[BaseModel], loc: Loc) -> Shape | None:
    """Return the shape of the secret, or list of secrets, whose file is named at `loc`: `token` for `token_file`."""
    name = loc[-1]
    if not isinstance(name, str) or not name.endswith(FILE_SUFFIX):
        return None
    shape = shape_at(model, (*loc[:-1], name.removesuffix(FILE_SUFFIX)))
    entry = None if shape is None else shape.entry or shape
    return shape if entry is not None and entry.annotation is SecretStr else None


def expectation(shape: Shape) -> str:
    """Describe what a shape accepts, such as `a whole number >= 1`."""
    words = next((item.text for item in shape.metadata if isinstance(item, Expected)), None)
    return f"{words or _plain_words(shape)}{', or null' if shape.optional else ''}"


def leaf_locs(model: type[BaseModel], name: str = "*") -> Iterator[Loc]:
    """Yield the location of every setting, with `name` in place of each user-defined name."""
    yield from _leaf_locs(Shape(model, (), optional=False), (), name)


def _leaf_locs(shape: Shape, loc: Loc, name: str) -> Iterator[Loc]:
    free = get_args(shape.annotation)[-1:] if get_origin(shape.annotation) is dict else ()
    inner = _shape_of(free[0]) if free else None
    if inner is not None and inner.fields:
        yield from _leaf_locs(inner, (*loc, name), name)
    elif shape.fields:
        for key, field in shape.fields.items():
            yield from _leaf_locs(shape_of_field(field), (*loc, key), name)
    else:
        yield loc


def _child(shape: Shape, part: str | int) -> Shape | None:
    origin, inner = get_origin(shape.annotation), get_args(shape.annotation)
    if isinstance(part, str) and shape.fields:
        field = shape.fields.get(part)
        return None if field is None else shape_of_field(field)
    if origin is dict:
        return _shape_of(inner[0 if part == "[key]" else 1])
    return shape.entry if isinstance(part, int) else None


def _shape_of(annotation: object) -> Shape:
    metadata: list[object] = []
    optional = False
    while True:
        origin, inner = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            annotation = inner[0]
            metadata += [part for item in inner[1:] for part in _parts(item)]
        elif origin in {Union, UnionType}:
            optional = type(None) in inner
            annotation = next(member for member in inner if member is not type(None))
        else:
            return Shape(annotation, tuple(metadata), optional)


def _parts(item: object) -> list[object]:
    return list(item.metadata) if isinstance(item, FieldInfo) else [item]


def _plain_words(shape: Shape) -> str:
    if shape.choices:
        return f"one of {', '.join(shape.choices)}" if len(shape.choices) > 1 else shape.choices[0]
    if shape.annotation is int:
        return f"a whole number{_range(shape.metadata)}"
    if shape.annotation is float:
        return f"a number{_range(shape.metadata)}"
    if shape.annotation is bool:
        return "true or false"
    if shape.is_text:
        return "text"
    return _list_words(shape) if get_origin(shape.annotation) in {tuple, frozenset} else "a mapping"


def _list_words(shape: Shape) -> str:
    entry = shape.entry
    least = " with at least one entry" if any(isinstance(item, MinLen) for item in shape.metadata) else ""
    return f"a list of {', '.join(entry.choices)}" if entry and entry.choices else f"a list{least}"


def _range(metadata: tuple[object, ...]) -> str:
    low = next(
        (f"> {item.gt}" if isinstance(item, Gt) else f">= {item.ge}" for item in metadata if isinstance(item, Gt | Ge)),
        "",
    )
    high = next((f"<= {item.le}" for item in metadata if isinstance(item, Le)), "")
    return f" {' and '.join(filter(None, (low, high)))}" if low or high else ""
