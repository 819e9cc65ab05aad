"""
`POST /v1/generate`: the gateway's own form of a chat request, turned into the ordinary one.

It takes everything that chat completions take plus `options`, or the short form with `prompt` and `system`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from app.api.decode import decode_as
from app.api.inbound import RETRIES_MAX, Wishes
from app.core.errors import INVALID_REQUEST, SESSION_UNAVAILABLE, GatewayError

_OWN = ("prompt", "system", "session_id", "options")


class GenerateOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    What a call may ask to be done differently.

    `caching` is satisfied as it is while the gateway has no cache; a call without `circuit_breaker` is neither refused
    by an open circuit nor counted by one.
    """

    caching: bool | None = None
    retry: bool = True
    fallback: bool = True
    circuit_breaker: bool = True
    max_attempts: Annotated[int, msgspec.Meta(ge=1, le=RETRIES_MAX + 1)] | None = None
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=86_400)] | None = None
    cache_ttl_s: Annotated[float, msgspec.Meta(ge=0)] | None = None


class _Own(msgspec.Struct, frozen=True):
    """The fields of the body that only `/v1/generate` knows."""

    prompt: str | None = None
    system: str | None = None
    session_id: str | None = None
    options: GenerateOptions = GenerateOptions()
    messages: msgspec.Raw = msgspec.Raw()


def read_generate(raw: bytes) -> tuple[bytes, Wishes]:
    """
    Return the equivalent chat body, its other fields untouched, and what `options` asks for.

    Raises:
        GatewayError: INVALID_JSON, INVALID_REQUEST, or SESSION_UNAVAILABLE.
    """
    own = decode_as(_Own, raw)
    if own.session_id is not None:
        raise GatewayError(SESSION_UNAVAILABLE, "This gateway keeps no sessions yet.", param="session_id")
    fields: dict[str, object] = dict(decode_as(dict[str, msgspec.Raw], raw))
    for name in _OWN:
        fields.pop(name, None)
    if own.prompt is not None:
        fields["messages"] = _messages(own)
    elif not bytes(own.messages):
        raise GatewayError(INVALID_REQUEST, "Send either 'prompt' or 'messages'.", param="prompt")
    elif own.system is not None:
        raise GatewayError(INVALID_REQUEST, "'system' goes with 'prompt'; put it into 'messages'.", param="system")
    asked = own.options
    wishes = Wishes(asked.timeout_s, asked.max_attempts, asked.retry, asked.fallback, asked.circuit_breaker)
    return msgspec.json.encode(fields), wishes


def _messages(own: _Own) -> list[dict[str, str]]:
    if bytes(own.messages):
        raise GatewayError(INVALID_REQUEST, "Send 'prompt' or 'messages', not both.", param="prompt")
    system = [{"role": "system", "content": own.system}] if own.system is not None else []
    return [*system, {"role": "user", "content": own.prompt or ""}]
