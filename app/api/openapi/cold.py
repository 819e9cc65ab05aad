"""Correct FastAPI's description of the cold routes: their error responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from app.api.openapi.parts import refusal

_FASTAPI_ERRORS: Final = frozenset({"HTTPValidationError", "ValidationError"})  # never sent by these routes
_METHODS: Final = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})


def corrected(described: Mapping[str, Any]) -> dict[str, Any]:
    """
    Return FastAPI's description of the API with the error responses that every route may send.

    They replace FastAPI's 422 for invalid parameters: the routes check parameters themselves.
    """
    described_paths: Mapping[str, Mapping[str, Any]] = described["paths"]
    paths = {path: {name: _part(name, part) for name, part in item.items()} for path, item in described_paths.items()}
    parts = described.get("components", {})
    schemas = {name: schema for name, schema in parts.get("schemas", {}).items() if name not in _FASTAPI_ERRORS}
    rest = {name: part for name, part in described.items() if name != "components"}
    components = {**parts, "schemas": schemas}
    return {**rest, "paths": paths, **({"components": components} if any(components.values()) else {})}


def _part(name: str, part: Any) -> Any:  # noqa: ANN401 - JSON
    """Return an operation with its error responses, and all other members of a path unchanged."""
    if name not in _METHODS:
        return part
    known = {status: answer for status, answer in part["responses"].items() if not _is_fastapis(answer)}
    return {**part, "responses": {**known, "4XX": refusal(), "5XX": refusal()}}


def _is_fastapis(answer: Mapping[str, Any]) -> bool:
    schema = answer.get("content", {}).get("application/json", {}).get("schema", {})
    return str(schema.get("$ref", "")).rpartition("/")[2] in _FASTAPI_ERRORS
