"""The OpenAPI description of the operations that are no chat; `openapi.py` has the other hot routes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

Json: TypeAlias = dict[str, object]

_JSON, _FORM, _EVENTS = "application/json", "multipart/form-data", "text/event-stream"
_TEXT: Mapping[str, object] = {"type": "string"}
_MODEL: Mapping[str, object] = {"type": "string", "description": "A route name or `provider/model`."}
_FILE: Mapping[str, object] = {"type": "string", "format": "binary"}
_INPUT: Mapping[str, object] = {"description": "A text, several texts, tokens, or several lists of tokens."}


class _Described(msgspec.Struct, frozen=True):
    """One route: its summary, the fields that matter, those that must be there, and the types that come and go."""

    summary: str
    fields: Mapping[str, object]
    required: tuple[str, ...]
    takes: tuple[str, ...] = (_JSON,)
    gives: tuple[str, ...] = (_JSON,)


_ROUTES: Mapping[str, _Described] = {
    "completions": _Described(
        "Legacy completion (OpenAI)",
        {"prompt": _INPUT, "stream": {"type": "boolean", "default": False}, "max_tokens": {"type": "integer"}},
        ("prompt",),
        gives=(_JSON, _EVENTS),
    ),
    "embeddings": _Described(
        "Embeddings",
        {
            "input": _INPUT,
            "encoding_format": {"type": "string", "enum": ["float", "base64"]},
            "dimensions": {"type": "integer"},
        },
        ("input",),
    ),
    "moderations": _Described(
        "Moderation", {"input": {"description": "A text, several texts, or parts of a message."}}, ("input",)
    ),
    "rerank": _Described(
        "Order documents by how well they answer a query",
        {
            "query": _TEXT,
            "documents": {"type": "array", "items": {"description": 'A text, or `{"text": ...}`.'}},
            "top_n": {"type": "integer"},
            "return_documents": {"type": "boolean", "default": False},
        },
        ("query", "documents"),
    ),
    "images/generations": _Described("Make images", {"prompt": _TEXT}, ("prompt",), gives=(_JSON, _EVENTS)),
    "images/edits": _Described(
        "Edit images", {"image": _FILE, "prompt": _TEXT}, ("prompt",), (_FORM, _JSON), (_JSON, _EVENTS)
    ),
    "images/variations": _Described("Vary an image", {"image": _FILE}, ("image",), (_FORM,)),
    "audio/speech": _Described(
        "Speech from text", {"input": _TEXT, "voice": _TEXT}, ("input",), gives=("application/octet-stream", _EVENTS)
    ),
    "audio/transcriptions": _Described(
        "Text from speech", {"file": _FILE}, ("file",), (_FORM,), (_JSON, "text/plain", _EVENTS)
    ),
    "audio/translations": _Described(
        "English text from speech", {"file": _FILE}, ("file",), (_FORM,), (_JSON, "text/plain")
    ),
}  # fmt: skip


def plain_paths(refusal: Json) -> Json:
    """Return the `paths` entries; `refusal` describes a refused request."""
    return {f"/v1/{path}": {"post": _operation(given, refusal)} for path, given in _ROUTES.items()}


def _operation(given: _Described, refusal: Json) -> Json:
    schema: Json = {
        "type": "object",
        "description": "OpenAI's request; unknown fields reach the provider untouched.",
        "properties": {"model": _MODEL, **given.fields},
        "required": ["model", *given.required],
        "additionalProperties": True,
    }
    answer = {"description": "The provider's answer.", "content": {media: {} for media in given.gives}}
    return {
        "summary": given.summary,
        "tags": ["operations on models"],
        "requestBody": {"required": True, "content": {media: {"schema": schema} for media in given.takes}},
        "responses": {"200": answer, "4XX": refusal, "5XX": refusal},
    }
