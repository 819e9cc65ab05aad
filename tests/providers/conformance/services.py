"""What is known of the providers of each dialect besides their calls: how they list models, and what they keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_OPENAIS: Final = (
    "https://api.openai.com/v1/models",
    b'{"object":"list","data":[{"id":"gpt-5","object":"model","created":1,"owned_by":"openai"}]}',
    ("gpt-5",),
)
# Where each lists its models, what it says there, and what they are called by; Vertex and Bedrock list theirs elsewhere
LISTS: Final[Mapping[str, tuple[str, bytes, tuple[str, ...]]]] = {
    "anthropic": (
        "https://api.anthropic.com/v1/models",
        b'{"data":[{"type":"model","id":"claude-opus-4-7","display_name":"Claude"}],"has_more":false}',
        ("claude-opus-4-7",),
    ),
    "azure": ("https://desk.openai.azure.com/openai/v1/models", _OPENAIS[1], _OPENAIS[2]),
    "cohere": (
        "https://api.cohere.com/v1/models",
        b'{"models":[{"name":"command-a-03-2025","endpoints":["chat"]}]}',
        ("command-a-03-2025",),
    ),
    "gemini": (
        "https://generativelanguage.googleapis.com/v1beta/models",
        b'{"models":[{"name":"models/gemini-2.5-flash","displayName":"Gemini"}]}',
        ("gemini-2.5-flash",),
    ),
    "ollama": ("http://127.0.0.1:11434/v1/models", b'{"data":[{"id":"llama3.2","object":"model"}]}', ("llama3.2",)),
    "openai": _OPENAIS,
    "openai-responses": _OPENAIS,
}
COUNTING: Final = frozenset({"anthropic"})
KEEPING: Final = frozenset({"azure", "openai", "openai-responses"})  # files and batches
_SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "azure": {"account": "desk"},
    "bedrock": {"region": "eu-central-1"},
    "ollama": {"api_key": None},
    "openai-responses": {"kind": "openai", "api": "responses"},
    "vertex": {"region": "europe-west1", "project": "desk"},
}


def setting(dialect: str) -> dict[str, Any]:
    """Return the configuration of a provider that speaks a dialect."""
    return {"kind": dialect, "api_key": "k", **_SETTINGS.get(dialect, {})}
