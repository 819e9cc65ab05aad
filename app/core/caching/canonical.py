"""
Canonical form of a request body: the same for all ways to write down one request.

Order of keys, white space, null fields and values that OpenAI's API documents as defaults make no difference. All other
fields may, so they are kept, also those that the gateway does not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec

Fields: TypeAlias = dict[str, Any]

# The model (part of the cache key by itself), how the answer is delivered, and hints for the provider's prompt cache.
_DELIVERY: Final = frozenset({"model", "stream", "stream_options", "prompt_cache_key", "prompt_cache_retention"})
_DEFAULTS: Final[Mapping[str, object]] = MappingProxyType(
    {
        "best_of": 1,
        "echo": False,
        "encoding_format": "float",
        "frequency_penalty": 0,
        "functions": [],
        "logit_bias": {},
        "logprobs": False,
        "modalities": ["text"],
        "n": 1,
        "parallel_tool_calls": True,
        "presence_penalty": 0,
        "response_format": {"type": "text"},
        "service_tier": "auto",
        "stop": [],
        "store": False,
        "temperature": 1,
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1,
    }
)
_DECODER: Final = msgspec.json.Decoder(Fields)
_ENCODER: Final = msgspec.json.Encoder(order="sorted")


def canonical(raw: bytes) -> Fields | None:
    """Return the fields that determine the answer; None if the body is not a JSON object."""
    try:
        body = _DECODER.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    fields = {
        name: int(value) if isinstance(value, float) and value.is_integer() else value
        for name, value in body.items()
        if value is not None and name not in _DELIVERY and not (name in _DEFAULTS and _is_default(name, value))
    }
    if isinstance(fields.get("stop"), str):
        fields["stop"] = [fields["stop"]]
    messages = fields.get("messages")
    if isinstance(messages, list) and b"null" in raw:
        fields["messages"] = [_without_nulls(message) for message in messages]
    return fields


def spelled(fields: Fields) -> bytes:
    """Return canonical fields as JSON with sorted keys."""
    return _ENCODER.encode(fields)


def _is_default(name: str, value: object) -> bool:
    default = _DEFAULTS[name]
    return value == default and isinstance(value, bool) == isinstance(default, bool)  # in Python, False equals 0


def _without_nulls(message: object) -> object:
    if isinstance(message, dict) and None in message.values():
        return {name: value for name, value in message.items() if value is not None}
    return message
