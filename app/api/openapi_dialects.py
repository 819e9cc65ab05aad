"""The OpenAPI description of the chat routes in other dialects; `openapi.py` has those in OpenAI's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

Json: TypeAlias = dict[str, object]

_TEXT: Mapping[str, object] = {"type": "string"}
_WHOLE: Mapping[str, object] = {"type": "integer"}
_ANY: Mapping[str, object] = {"type": "object"}
_SWITCH: Mapping[str, object] = {"type": "boolean", "default": False}
_MODEL: Mapping[str, object] = {
    "type": "string",
    "description": "A route name or `provider/model`.",
    "examples": ["sim/echo"],
}


def dialect_paths(refusal: Json) -> Json:
    """Return the `paths` entries; `refusal` describes one in OpenAI's form."""
    refused = _described("A typed refusal in Anthropic's form.", _error_of_messages())
    return {
        "/v1/messages": _post("Message (Anthropic)", _schema(_message(), "max_tokens"), refused),
        "/v1/messages/count_tokens": _post("Count the tokens of a message (Anthropic)", _schema(_message()), refused),
        "/v1/responses": _post("Response (OpenAI)", _schema(_response()), refusal),
    }


def _post(summary: str, schema: Json, refusal: Json) -> Json:
    answer: Json = {
        "description": "The answer: JSON, or server-sent events if `stream` is true.",
        "content": {"application/json": {}, "text/event-stream": {}},
    }
    return {
        "post": {
            "summary": summary,
            "tags": ["chat"],
            "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
            "responses": {"200": answer, "4XX": refusal, "5XX": refusal},
        }
    }


def _schema(fields: Json, *also: str) -> Json:
    about = "Other fields reach providers that speak this form untouched; elsewhere they are reported, or refused."
    required = ["model", *(["messages"] if "messages" in fields else []), *also]
    return {
        "type": "object",
        "description": about,
        "properties": fields,
        "required": required,
        "additionalProperties": True,
    }


def _message() -> Json:
    said: Json = {"description": "Text, or a list of blocks.", "examples": ["Say hello."]}
    turn = {
        "type": "object",
        "properties": {"role": {"type": "string", "enum": ["user", "assistant", "system"]}, "content": said},
        "required": ["role", "content"],
    }
    return {
        "model": _MODEL,
        "max_tokens": {"type": "integer", "minimum": 1},
        "messages": {"type": "array", "items": turn, "minItems": 1},
        "system": {"description": "Text, or a list of blocks."},
        "stream": _SWITCH,
        "tools": {"type": "array", "items": _ANY},
        "tool_choice": _ANY,
        "thinking": _ANY,
        "stop_sequences": {"type": "array", "items": _TEXT},
        "metadata": _ANY,
    }


def _response() -> Json:
    return {
        "model": _MODEL,
        "input": {"description": "Text, or a list of items.", "examples": ["Say hello."]},
        "instructions": _TEXT,
        "stream": _SWITCH,
        "max_output_tokens": _WHOLE,
        "tools": {"type": "array", "items": _ANY},
        "text": _ANY,
        "reasoning": _ANY,
        "previous_response_id": {"type": "string", "description": "Only where the provider speaks this form itself."},
    }


def _error_of_messages() -> Json:
    error: Json = {
        "type": "object",
        "properties": {
            "type": _TEXT,
            "message": _TEXT,
            "details": {"type": "object", "properties": {"error_code": _TEXT}},
            "retryable": {"type": "boolean"},
            "suggestion": _TEXT,
        },
    }
    return {"type": "object", "properties": {"type": {"const": "error"}, "error": error, "request_id": _TEXT}}


def _described(description: str, schema: Json) -> Json:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
