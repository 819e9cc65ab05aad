"""Describe the bodies that routes decode themselves, from the types that they decode."""

from __future__ import annotations

from typing import Final

import msgspec

from app.api.openapi.parts import JSON, Json

_AT: Final = "#/components/schemas/"


def takes(body: type, example: Json) -> Json:
    """Return the `openapi_extra` of a route whose body, of type `body`, is optional."""
    (schema,), parts = msgspec.json.schema_components([body], ref_template=_AT + "{name}")
    whole = _inlined(schema, parts)
    content = {JSON: {"schema": whole, "example": example}}
    return {"requestBody": {"required": False, "content": content}}


def _inlined(schema: object, parts: dict[str, object]) -> object:
    """Replace references by the types themselves: `openapi_extra` has no place for shared schemas."""
    if isinstance(schema, list):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference, pattern = schema.get("$ref"), schema.get("pattern")
    if isinstance(reference, str):
        return _inlined(parts[reference.removeprefix(_AT)], parts)
    if isinstance(pattern, str):
        schema = {**schema, "pattern": pattern.replace(r"\Z", "$")}  # JavaScript's syntax
    return {name: _inlined(each, parts) for name, each in schema.items() if name != "title" or isinstance(each, dict)}
