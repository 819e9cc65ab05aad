"""What the description of an operation is made of."""

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
    found: Json = {"type": "object", "properties": dict(properties), **more}
    return {**found, "required": list(required)} if required else found


def listed(items: Mapping[str, object], **more: object) -> Json:
    """Return the schema of a list."""
    return {"type": "array", "items": items, **more}


def body(schema: Json, *media: str) -> Json:
    """Return what an operation says of a body that it takes, as JSON unless other types are named."""
    return {"required": True, "content": {each: {"schema": schema} for each in media or (JSON,)}}


def answer(description: str, media: Iterable[str] = ()) -> Json:
    """Return the description of an answer whose body is not described."""
    content: Json = {each: {} for each in media}
    return {"description": description, "content": content} if content else {"description": description}


def refusal() -> Json:
    """Return the description of a refusal in OpenAI's form."""
    nothing_or_text = {"type": ["string", "null"]}
    error = {
        "message": TEXT,
        "type": TEXT,
        "code": TEXT,
        "param": nothing_or_text,
        "kind": TEXT,
        "retryable": YES_OR_NO,
        "retry_after_s": {"type": ["number", "null"]},
        "suggestion": TEXT,
        "provider": nothing_or_text,
        "source": {"type": "string", "enum": ["gateway", "upstream"]},
        "request_id": TEXT,
    }
    return {"description": "A typed refusal.", "content": {JSON: {"schema": fields({"error": fields(error)})}}}


def operation(summary: str, tag: str, given: Json, takes: Json | None = None, refused: Json | None = None) -> Json:
    """Return the description of an operation: the body that it `takes`, and the answers `given` and `refused`."""
    refused = refused or refusal()
    found: Json = {"summary": summary, "tags": [tag], "responses": {"200": given, "4XX": refused, "5XX": refused}}
    return found if takes is None else {**found, "requestBody": takes}
