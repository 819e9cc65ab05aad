"""Building blocks for the OpenAPI description of operations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

Json: TypeAlias = dict[str, object]

JSON: Final = "application/json"
FORM: Final = "multipart/form-data"
EVENTS: Final = "text/event-stream"
BYTES: Final = "application/octet-stream"
TEXT: Mapping[str, object] = {"type": "string"}
WHOLE: Mapping[str, object] = {"type": "integer"}
ANY: Mapping[str, object] = {"type": "object"}
YES_OR_NO: Mapping[str, object] = {"type": "boolean"}
SWITCH: Mapping[str, object] = {"type": "boolean", "default": False}


def fields(properties: Mapping[str, object], *required: str, **more: object) -> Json:
    """Return the schema of an object."""
    schema: Json = {"type": "object", "properties": dict(properties), **more}
    return {**schema, "required": list(required)} if required else schema


def listed(items: Mapping[str, object], **more: object) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **more}


def body(schema: Json, *media: str) -> Json:
    """Return the description of a required request body; JSON unless other media types are named."""
    return {"required": True, "content": {each: {"schema": schema} for each in media or (JSON,)}}


def answer(description: str, media: Iterable[str] = ()) -> Json:
    """Return the description of an answer without a schema."""
    content: Json = {each: {} for each in media}
    return {"description": description, "content": content} if content else {"description": description}


def refusal() -> Json:
    """Return the description of an error response in OpenAI's format."""
    text_or_null = {"type": ["string", "null"]}
    error = {
        "message": TEXT,
        "type": TEXT,
        "code": TEXT,
        "param": text_or_null,
        "kind": TEXT,
        "retryable": YES_OR_NO,
        "retry_after_s": {"type": ["number", "null"]},
        "suggestion": TEXT,
        "provider": text_or_null,
        "source": {"type": "string", "enum": ["gateway", "upstream"]},
        "request_id": TEXT,
    }
    return {"description": "A typed refusal.", "content": {JSON: {"schema": fields({"error": fields(error)})}}}


def operation(summary: str, tag: str, given: Json, takes: Json | None = None, refused: Json | None = None) -> Json:
    """Return the description of an operation: its request body `takes`, and its responses `given` and `refused`."""
    refused = refused or refusal()
    described: Json = {"summary": summary, "tags": [tag], "responses": {"200": given, "4XX": refused, "5XX": refused}}
    return described if takes is None else {**described, "requestBody": takes}
