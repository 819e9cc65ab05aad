"""The OpenAPI description of the hot routes, written by hand because no framework code sees their bodies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MESSAGE = {
    "type": "object",
    "required": ["role"],
    "properties": {
        "role": {"type": "string", "examples": ["user"]},
        "content": {"description": "Text, or a list of content parts.", "examples": ["Say hello."]},
    },
}
_CHAT = {
    "type": "object",
    "required": ["model", "messages"],
    "additionalProperties": True,
    "description": "OpenAI's chat completion request; unknown fields reach the provider untouched.",
    "properties": {
        "model": {"type": "string", "description": "A route name or `provider/model`.", "examples": ["sim/echo"]},
        "messages": {"type": "array", "items": _MESSAGE, "minItems": 1},
        "stream": {"type": "boolean", "default": False},
        "temperature": {"type": "number"},
        "max_tokens": {"type": "integer"},
        "tools": {"type": "array", "items": {"type": "object"}},
        "response_format": {"type": "object"},
    },
}
_GENERATE = {
    "type": "object",
    "required": ["model"],
    "additionalProperties": True,
    "description": "Everything a chat completion takes, or the short form with `prompt`; plus `options`.",
    "properties": {
        **_CHAT["properties"],  # type: ignore[dict-item]  # the literal's values are of mixed types
        "prompt": {"type": "string", "examples": ["Say hello."]},
        "system": {"type": "string"},
        "options": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "caching": {"type": "boolean"},
                "retry": {"type": "boolean"},
                "fallback": {"type": "boolean"},
                "circuit_breaker": {"type": "boolean"},
                "max_attempts": {"type": "integer", "minimum": 1},
                "timeout_s": {"type": "number", "exclusiveMinimum": 0},
                "cache_ttl_s": {"type": "number", "minimum": 0},
            },
        },
    },
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "kind": {"type": "string"},
                "retryable": {"type": "boolean"},
                "retry_after_s": {"type": ["number", "null"]},
                "suggestion": {"type": "string"},
                "provider": {"type": ["string", "null"]},
                "source": {"type": "string", "enum": ["gateway", "upstream"]},
                "request_id": {"type": "string"},
            },
        }
    },
}


def hot_paths() -> dict[str, Any]:
    """Return the `paths` entries of the hot routes."""
    return {
        "/v1/chat/completions": _post("Chat completion (OpenAI)", _CHAT, "chat"),
        "/v1/generate": _post("Chat completion with gateway options and metadata", _GENERATE, "chat"),
    }


def _post(summary: str, body: Mapping[str, Any], tag: str) -> dict[str, Any]:
    answer = {
        "description": "The answer: JSON, or server-sent events if `stream` is true.",
        "content": {"application/json": {}, "text/event-stream": {}},
    }
    refusal = {"description": "A typed refusal.", "content": {"application/json": {"schema": _ERROR}}}
    return {
        "post": {
            "summary": summary,
            "tags": [tag],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"200": answer, "4XX": refusal, "5XX": refusal},
        }
    }
