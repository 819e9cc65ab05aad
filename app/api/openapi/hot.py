"""Describe the hot routes, by hand because FastAPI does not see their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from app.api.openapi.parts import (
    ANY,
    BYTES,
    EVENTS,
    FORM,
    JSON,
    SWITCH,
    TEXT,
    WHOLE,
    YES_OR_NO,
    Json,
    answer,
    body,
    fields,
    listed,
    operation,
)
from app.api.openapi.passthrough import passing_paths
from app.api.request_options import CACHE_TTL_MAX_S, RETRIES_MAX
from app.core.parameters import ROLES

_NAMED: Mapping[str, object] = {"type": "string", "description": "A route name or `provider/model`."}
_MODEL: Mapping[str, object] = {**_NAMED, "examples": ["sim/echo"]}
_FILE: Mapping[str, object] = {"type": "string", "format": "binary"}
_INPUT: Mapping[str, object] = {"description": "A text, several texts, tokens, or several lists of tokens."}
_UNTOUCHED: Final = "unknown fields reach the provider untouched."


def hot_paths() -> Json:
    """Return the `paths` entries of the hot routes."""
    about = f"OpenAI's chat completion request; {_UNTOUCHED}"
    completion = fields(_completion_fields(), "model", "messages", description=about, additionalProperties=True)
    return {
        "/v1/chat/completions": _chat("Chat completion (OpenAI)", completion),
        "/v1/generate": _chat("Chat completion with gateway options and metadata", _generate()),
        "/v1/messages": _chat("Message (Anthropic)", _message("max_tokens"), _refused_message()),
        "/v1/messages/count_tokens": _chat("Count the tokens of a message (Anthropic)", _message(), _refused_message()),
        "/v1/responses": _chat("Response (OpenAI)", _response()),
        **{f"/v1/{path}": {"post": _plain(each)} for path, each in _OPERATIONS.items()},
        **passing_paths(),
    }


def _chat(summary: str, schema: Json, refused: Json | None = None) -> Json:
    success = answer("The answer: JSON, or server-sent events if `stream` is true.", (JSON, EVENTS))
    return {"post": operation(summary, "chat", success, body(schema), refused)}


def _completion_fields() -> Json:
    content = {
        "type": ["string", "array"],
        "description": "Text, or a list of content parts; an assistant that only calls tools has none, or null.",
        "examples": ["Say hello."],
    }
    role = {"type": "string", "enum": list(ROLES), "examples": ["user"]}
    return {
        "model": _MODEL,
        "messages": listed(fields({"role": role, "content": content}, "role", "content"), minItems=1),
        "stream": SWITCH,
        "temperature": {"type": "number"},
        "max_tokens": WHOLE,
        "tools": listed(ANY),
        "response_format": ANY,
    }


def _generate() -> Json:
    options: Json = {
        **dict.fromkeys(("caching", "retry", "fallback", "circuit_breaker"), YES_OR_NO),
        "max_attempts": {"type": "integer", "minimum": 1, "maximum": RETRIES_MAX + 1},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
        "cache_ttl_s": {"type": "number", "minimum": 0, "maximum": CACHE_TTL_MAX_S},
        "cache_similarity": {"type": "number", "minimum": 0, "maximum": 1},
    }
    own: Json = {
        "prompt": {"type": "string", "examples": ["Say hello."]},
        "system": TEXT,
        "session_id": {**TEXT, "description": "A session that the call goes on with."},
        "options": fields(options, additionalProperties=False),
    }
    about = "Everything a chat completion takes, or the short form with `prompt`; plus `options`."
    return fields({**_completion_fields(), **own}, "model", description=about, additionalProperties=True)


def _foreign(properties: Mapping[str, object], *required: str) -> Json:
    about = "Other fields reach providers that speak this form untouched; elsewhere they are reported, or refused."
    return fields(properties, "model", *required, description=about, additionalProperties=True)


def _message(*required: str) -> Json:
    content = {"description": "Text, or a list of blocks.", "examples": ["Say hello."]}
    role = {"type": "string", "enum": ["user", "assistant", "system"]}
    properties: Json = {
        "model": _MODEL,
        "max_tokens": {"type": "integer", "minimum": 1},
        "messages": listed(fields({"role": role, "content": content}, "role", "content"), minItems=1),
        "system": {"description": "Text, or a list of blocks."},
        "stream": SWITCH,
        "tools": listed(ANY),
        "tool_choice": ANY,
        "thinking": ANY,
        "stop_sequences": listed(TEXT),
        "metadata": ANY,
    }
    return _foreign(properties, "messages", *required)


def _refused_message() -> Json:
    error = {
        "type": TEXT,
        "message": TEXT,
        "details": fields({"error_code": TEXT}),
        "retryable": YES_OR_NO,
        "suggestion": TEXT,
    }
    schema = fields({"type": {"const": "error"}, "error": fields(error), "request_id": TEXT})
    return {"description": "A typed refusal in Anthropic's form.", "content": {JSON: {"schema": schema}}}


def _response() -> Json:
    properties: Json = {
        "model": _MODEL,
        "input": {"description": "Text, or a list of items.", "examples": ["Say hello."]},
        "instructions": TEXT,
        "stream": SWITCH,
        "max_output_tokens": WHOLE,
        "tools": listed(ANY),
        "text": ANY,
        "reasoning": ANY,
        "previous_response_id": {**TEXT, "description": "Only where the provider speaks this form itself."},
    }
    return _foreign(properties)


class _Operation(msgspec.Struct, frozen=True):
    """An operation other than chat: its main fields, the required ones, and the media types of request and answer."""

    summary: str
    properties: Mapping[str, object]
    required: tuple[str, ...]
    takes: tuple[str, ...] = (JSON,)
    gives: tuple[str, ...] = (JSON,)


_OPERATIONS: Mapping[str, _Operation] = {
    "completions": _Operation(
        "Legacy completion (OpenAI)",
        {"prompt": _INPUT, "stream": SWITCH, "max_tokens": WHOLE},
        ("prompt",),
        gives=(JSON, EVENTS),
    ),
    "embeddings": _Operation(
        "Embeddings",
        {"input": _INPUT, "encoding_format": {"type": "string", "enum": ["float", "base64"]}, "dimensions": WHOLE},
        ("input",),
    ),
    "moderations": _Operation(
        "Moderation",
        {
            "model": {"description": "A route name or `provider/model`; without it the gateway chooses."},
            "input": {"description": "A text, several texts, or parts of a message."},
        },
        ("input",),
    ),
    "rerank": _Operation(
        "Order documents by how well they answer a query",
        {
            "query": TEXT,
            "documents": listed({"description": 'A text, or `{"text": ...}`.'}),
            "top_n": WHOLE,
            "return_documents": SWITCH,
        },
        ("query", "documents"),
    ),
    "images/generations": _Operation("Make images", {"prompt": TEXT}, ("prompt",), gives=(JSON, EVENTS)),
    "images/edits": _Operation(
        "Edit images", {"image": _FILE, "prompt": TEXT}, ("prompt",), (FORM, JSON), (JSON, EVENTS)
    ),
    "images/variations": _Operation("Vary an image", {"image": _FILE}, ("image",), (FORM,)),
    "audio/speech": _Operation("Speech from text", {"input": TEXT, "voice": TEXT}, ("input",), gives=(BYTES, EVENTS)),
    "audio/transcriptions": _Operation(
        "Text from speech", {"file": _FILE}, ("file",), (FORM,), (JSON, "text/plain", EVENTS)
    ),
    "audio/translations": _Operation(
        "English text from speech", {"file": _FILE}, ("file",), (FORM,), (JSON, "text/plain")
    ),
}


def _plain(each: _Operation) -> Json:
    about = f"OpenAI's request; {_UNTOUCHED}"
    properties = {"model": _NAMED, **each.properties}
    named = ("model",) if "model" not in each.properties else ()
    schema = fields(properties, *named, *each.required, description=about, additionalProperties=True)
    success = answer("The provider's answer.", each.gives)
    return operation(each.summary, "operations on models", success, body(schema, *each.takes))
