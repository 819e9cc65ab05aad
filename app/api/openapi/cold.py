"""The description of the ordinary routes, corrected where FastAPI cannot know what they answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.api.openapi.parts import refusal

_OF_FASTAPI: Final = frozenset({"HTTPValidationError", "ValidationError"})  # which no route here ever answers with
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})


def corrected(described: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return FastAPI's description of the API with the refusals that every route may answer with.

    They take the place of the 422 that FastAPI promises for parameters, which are checked by the routes themselves.
    """
    given: Mapping[str, Mapping[str, Any]] = described["paths"]
    paths = {path: {name: _part(name, part) for name, part in item.items()} for path, item in given.items()}
    parts = described.get("components", {})
    schemas = {name: schema for name, schema in parts.get("schemas", {}).items() if name not in _OF_FASTAPI}
    rest = {name: part for name, part in described.items() if name != "components"}
    components = {**parts, "schemas": schemas}
    return {**rest, "paths": paths, **({"components": components} if any(components.values()) else {})}


def _part(name: str, part: Any) -> Any:  # noqa: ANN401 - JSON
    """Return an operation with its refusals, and everything else of a path as it is."""
    if name not in _METHODS:
        return part
    known = {status: answer for status, answer in part["responses"].items() if not _is_fastapis(answer)}
    return {**part, "responses": {**known, "4XX": refusal(), "5XX": refusal()}}


def _is_fastapis(answer: Mapping[str, Any]) -> bool:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rpartition("/")[2] in _OF_FASTAPI
