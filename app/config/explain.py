"""Turn pydantic's errors into problems: in plain words, with their origin and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticUndefined

from app.config.environment import Origins
from app.config.problems import MISSING, did_you_mean, dotted, kind_of, shown, shown_key
from app.config.shapes import Shape, expectation, shape_at
from app.config.trees import Loc
from app.core.configuration import Problem


def explain(error: ValidationError, schema: type[BaseModel], origins: Origins) -> dict[Loc, Problem]:
    """Explain every error of a failed validation, by location; `schema` is the model that refused."""
    details = error.errors(include_url=False, include_context=False)
    # Errors that surround another error are ignored: a list whose only entry is wrong is also reported as too short.
    outer = {detail["loc"][:depth] for detail in details for depth in range(len(detail["loc"]))}
    return {detail["loc"]: _explain(detail, schema, origins) for detail in details if detail["loc"] not in outer}


def _explain(detail: ErrorDetails, schema: type[BaseModel], origins: Origins) -> Problem:
    loc = detail["loc"]
    if not loc:  # pydantic cannot report the name, which is not valid text
        advice = "look for \\ud800 to \\udfff, and remove it"
        return Problem("(a name)", "half of a surrogate pair", "names that are text", advice)
    shape = shape_at(schema, loc)
    if shape is None:
        return _unknown_key(detail, schema, origins)
    if detail["type"] == "missing":
        return _missing(loc, shape, origins)
    if loc[-1] == "[key]":
        name = repr(shown_key(str(loc[-2])))
        return Problem(dotted(loc[:-1]), name, expectation(shape), "rename it", origins.of(loc[:-1]))
    value = detail["input"]
    return Problem(
        path=dotted(loc),
        value=shown(loc, value) if shape.is_scalar else kind_of(value),
        expected=expectation(shape),
        suggestion=_suggestion(shape, value),
        file=origins.of(loc),
    )


def _unknown_key(detail: ErrorDetails, schema: type[BaseModel], origins: Origins) -> Problem:
    loc = detail["loc"]
    section = shape_at(schema, loc[:-1])
    known = tuple(section.fields) if section else ()
    return Problem(
        path=dotted(loc),
        value=kind_of(detail["input"]),
        expected=f"one of the keys {', '.join(known)}",
        suggestion=did_you_mean(str(loc[-1]), known) or "remove it",
        file=origins.of(loc),
    )


def _missing(loc: Loc, shape: Shape, origins: Origins) -> Problem:
    return Problem(dotted(loc), MISSING, expectation(shape), f"add {loc[-1]}", origins.of(loc))


def _suggestion(shape: Shape, value: object) -> str:
    if value is None:
        return "fill it in, or remove it"
    if shape.is_text and not isinstance(value, str | Mapping | list):
        yaml = ": YAML reads bare on, off, yes and no as true and false" if isinstance(value, bool) else ""
        return f"put it in quotes{yaml}"
    if isinstance(value, str) and get_origin(shape.annotation) in {tuple, frozenset}:
        return 'write a list, such as ["one", "two"]; in an environment variable exactly so, as JSON'
    if not isinstance(value, Mapping) and (shape.fields or get_origin(shape.annotation) is dict):
        needed = [name for name, field in shape.fields.items() if field.is_required()] or [*shape.fields, "name"][:1]
        form = ", ".join(f"{name}: …" for name in needed)
        return f"write a mapping, such as {{{form}}}; in an environment variable as JSON"
    close = did_you_mean(value, shape.choices) if isinstance(value, str) else None
    default = shape.default
    if default is PydanticUndefined or not shape.is_scalar:
        return close or "correct it"
    return close or f"correct it, or remove it for the default {shown((), default)}"
