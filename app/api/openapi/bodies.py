"""The description of bodies that routes decode by themselves, made from the types that they decode."""

from __future__ import annotations

from typing import Final

import msgspec

from app.api.openapi.parts import JSON, Json

_AT: Final = "#/components/schemas/"


def takes(body: type, example: Json) -> Json:
    """Return what a route's `openapi_extra` says of its body, which may be left out."""
    (schema,), parts = msgspec.json.schema_components([body], ref_template=_AT + "{name}")
    whole = _inlined(schema, parts)
    content = {JSON: {"schema": whole, "example": example}}
    return {"requestBody": {"required": False, "content": content}}


def _inlined(schema: object, parts: dict[str, object]) -> object:
    """Put types in the places where they are used: the document has no other place for those of one route."""
    if isinstance(schema, list):
        return [_inlined(each, parts) for each in schema]
    if not isinstance(schema, dict):
        return schema
    reference, pattern = schema.get("$ref"), schema.get("pattern")
    if isinstance(reference, str):
        return _inlined(parts[reference.removeprefix(_AT)], parts)
    if isinstance(pattern, str):
        schema = {**schema, "pattern": pattern.replace(r"\Z", "$")}  # as JavaScript has it
    return {name: _inlined(each, parts) for name, each in schema.items() if name != "title" or isinstance(each, dict)}
