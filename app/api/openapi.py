"""The OpenAPI description of the hot routes, written by hand because no framework code sees their bodies."""

from __future__ import annotations

from typing import TypeAlias

from app.api.openapi_dialects import dialect_paths
from app.api.openapi_passing import passing_paths
from app.api.openapi_plain import plain_paths
from app.api.wishes import CACHE_TTL_MAX_S, RETRIES_MAX
from app.core.parameters import ROLES

Json: TypeAlias = dict[str, object]


def hot_paths() -> Json:
    """Return the `paths` entries of the hot routes."""
    return {
        "/v1/chat/completions": _post("Chat completion (OpenAI)", _chat()),
        "/v1/generate": _post("Chat completion with gateway options and metadata", _generate()),
        **dialect_paths(refusal()),
        **plain_paths(refusal()),
        **passing_paths(refusal()),
    }


def refusal() -> Json:
    """Return the description of an answer that refuses."""
    return {"description": "A typed refusal.", "content": {"application/json": {"schema": _error()}}}


def _post(summary: str, body: Json) -> Json:
    answer = {
        "description": "The answer: JSON, or server-sent events if `stream` is true.",
        "content": {"application/json": {}, "text/event-stream": {}},
    }
    refused = refusal()
    return {
        "post": {
            "summary": summary,
            "tags": ["chat"],
            "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
            "responses": {"200": answer, "4XX": refused, "5XX": refused},
        }
    }


def _object(properties: Json, *required: str, **more: object) -> Json:
    found: Json = {"type": "object", "properties": properties, **more}
    return {**found, "required": list(required)} if required else found


def _chat() -> Json:
    about = "OpenAI's chat completion request; unknown fields reach the provider untouched."
    return _object(_chat_fields(), "model", "messages", description=about, additionalProperties=True)


def _generate() -> Json:
    about = "Everything a chat completion takes, or the short form with `prompt`; plus `options`."
    fields: Json = {
        **_chat_fields(),
        "prompt": {"type": "string", "examples": ["Say hello."]},
        "system": {"type": "string"},
        "options": _object(_options(), additionalProperties=False),
    }
    return _object(fields, "model", description=about, additionalProperties=True)


def _chat_fields() -> Json:
    message = _object(
        {
            "role": {"type": "string", "enum": list(ROLES), "examples": ["user"]},
            "content": {
                "type": ["string", "array", "null"],
                "description": "Text, or a list of content parts.",
                "examples": ["Say hello."],
            },
        },
        "role",
    )
    return {
        "model": {"type": "string", "description": "A route name or `provider/model`.", "examples": ["sim/echo"]},
        "messages": {"type": "array", "items": message, "minItems": 1},
        "stream": {"type": "boolean", "default": False},
        "temperature": {"type": "number"},
        "max_tokens": {"type": "integer"},
        "tools": {"type": "array", "items": {"type": "object"}},
        "response_format": {"type": "object"},
    }


def _options() -> Json:
    return {
        "caching": {"type": "boolean"},
        "retry": {"type": "boolean"},
        "fallback": {"type": "boolean"},
        "circuit_breaker": {"type": "boolean"},
        "max_attempts": {"type": "integer", "minimum": 1, "maximum": RETRIES_MAX + 1},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 86_400},
        "cache_ttl_s": {"type": "number", "minimum": 0, "maximum": CACHE_TTL_MAX_S},
    }


def _error() -> Json:
    text, nothing_or_text = {"type": "string"}, {"type": ["string", "null"]}
    fields: Json = {
        "message": text,
        "type": text,
        "code": text,
        "param": nothing_or_text,
        "kind": text,
        "retryable": {"type": "boolean"},
        "retry_after_s": {"type": ["number", "null"]},
        "suggestion": text,
        "provider": nothing_or_text,
        "source": {"type": "string", "enum": ["gateway", "upstream"]},
        "request_id": text,
    }
    return _object({"error": _object(fields)})
