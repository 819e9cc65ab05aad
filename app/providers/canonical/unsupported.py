"""
Handles fields that a dialect cannot express: harmless ones are dropped and reported, others refused by name.

A field at its default value is ignored in every dialect.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.dialects.absent import given_in
from app.core.errors import UNSUPPORTED_FEATURE, GatewayError
from app.core.json_text import OBJECT
from app.providers.canonical.chat_request import Asked

_NOTHING = (b"", b"null", b"{}", b"[]", b'""')
_STRUCTURAL: Final = frozenset({"model", "messages", "stream", "stream_options"})  # every codec carries these
# Nearly every dialect can express these.
USUAL: Final = frozenset(
    {
        "max_tokens", "max_completion_tokens", "temperature", "top_p", "top_k", "n", "stop", "tools", "tool_choice",
        "response_format", "reasoning_effort",
    }
)  # fmt: skip
# These change the answer: one without them would not be what was requested.
_FEATURES: Final = frozenset(
    {
        "functions", "function_call", "web_search_options", "logprobs", "top_logprobs", "audio",
        "previous_response_id", "conversation", "prompt", "background", "mcp_servers", "container",
    }
)  # fmt: skip
_NEUTRAL: Final[Mapping[str, tuple[bytes, ...]]] = MappingProxyType(
    {
        "n": (b"1",),
        "logprobs": (b"false",),
        "top_logprobs": (b"0",),
        "parallel_tool_calls": (b"true",),
        "frequency_penalty": (b"0", b"0.0"),
        "presence_penalty": (b"0", b"0.0"),
        "background": (b"false",),
        "functions": (b"[]",),
        "mcp_servers": (b"[]",),
        "store": (b"false",),
        "service_tier": (b'"auto"', b'"default"'),
        "reasoning_effort": (b'"none"',),
        "verbosity": (b'"medium"',),
        "modalities": (b'["text"]',),
    }
)


def unsupported(part: str, provider: str, why: str = "") -> GatewayError:
    """Return the refusal of a part that `provider` cannot express; `why` completes the sentence."""
    reason = f": {why}" if why else ""
    return GatewayError(UNSUPPORTED_FEATURE, f"{provider} cannot express {part!r}{reason}.", param=part)


def dropped(members: Mapping[str, msgspec.Raw], carried: AbstractSet[str], provider: str) -> tuple[str, ...]:
    """
    Return the names of the fields that have an effect and are not `carried`, in the order of the body.

    Raise UNSUPPORTED_FEATURE for one that would change the answer.
    """
    lost = [name for name, value in members.items() if name not in carried and _asks(name, bytes(value))]
    for name in lost:
        if name in _FEATURES:
            raise unsupported(name, provider)
    return tuple(lost)


def dropped_inside(asked: Asked, carried: AbstractSet[str]) -> tuple[str, ...]:
    """Return which fields of messages and tools are lost: a speaker's `name`, a function's `strict`."""
    named = any(turn.name for turn in asked.messages if turn.role != "tool")
    strict = any(tool.function.strict for tool in asked.tools or () if tool.function is not None)
    lost = {"name": named, "strict": strict}
    return tuple([word for word, is_there in lost.items() if is_there and word not in carried])


def require_one_choice(asked: Asked, provider: str) -> None:
    """Refuse a request for several answers at once."""
    if asked.n is not None and asked.n > 1:
        raise unsupported("n", provider, "it gives one answer for each request")


def require_text(asked: Asked, provider: str) -> None:
    """Refuse a request for sound or pictures."""
    if asked.modalities and set(asked.modalities) - {"text"}:
        raise unsupported("modalities", provider, "it answers in text")


def written(request: Mapping[str, object], extras: msgspec.Raw | None) -> bytes:
    """Return a body with the members of `request` that are set, and with `extras`; see `with_extras`."""
    return with_extras(msgspec.json.encode(given_in(request)), extras)


def with_extras(body: bytes, extras: msgspec.Raw | None) -> bytes:
    """
    Merge the caller's options for this dialect into the body: the escape hatch for what has no canonical form.

    Members of objects that both have are merged one level deep; otherwise the caller's value wins.
    """
    if extras is None or bytes(extras) in _NOTHING:
        return body
    try:
        more = OBJECT.decode(extras)
    except msgspec.ValidationError as error:
        raise GatewayError(UNSUPPORTED_FEATURE, "The provider's own options must be an object.") from error
    mine = OBJECT.decode(body)
    for name, value in more.items():
        mine[name] = _joint(mine.get(name), value)
    return msgspec.json.encode(mine)


def _joint(mine: msgspec.Raw | None, theirs: msgspec.Raw) -> msgspec.Raw:
    if mine is None or not (bytes(mine).startswith(b"{") and bytes(theirs).startswith(b"{")):
        return theirs
    both = OBJECT.decode(mine)
    both.update(OBJECT.decode(theirs))
    return msgspec.Raw(msgspec.json.encode(both))


def _asks(name: str, value: bytes) -> bool:
    nothing = _NOTHING[:2] if name in _FEATURES else _NOTHING  # `web_search_options: {}` enables the feature
    return name not in _STRUCTURAL and value not in nothing and value not in _NEUTRAL.get(name, ())
