"""
Preserve reasoning that clients must send back to the provider in later turns, across dialects.

In the canonical form an assistant message has `reasoning_content` (prose) and `reasoning_details`, a list of entries
in OpenRouter's format (https://openrouter.ai/docs/use-cases/reasoning-tokens): readable text with a signature, a
summary, or encrypted data. `format` identifies the provider's API, and an entry is sent to no other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.core.dialects.absent import is_given

CLAUDE_FORMAT: Final = "anthropic-claude-v1"
RESPONSES_FORMAT: Final = "openai-responses-v1"
SEAL: Final = "wizard:1:"  # no provider's signature has this prefix: they are base64
_EXTRA_FORMAT: Final = "wizard-extra-content"
_SEALED = re.compile(SEAL + "(?P<entry>[{].*[}])", re.DOTALL)


class ReasoningDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One entry: `reasoning.text` (with `text` and `signature`), `reasoning.summary`, or `reasoning.encrypted` (`data`).

    Entries with the same `id` were one item at their provider. In a stream an entry is sent whole, after its prose.
    """

    type: str
    text: str | None = None
    signature: str | None = None
    summary: str | None = None
    data: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


def prose_of(details: Sequence[ReasoningDetail]) -> str:
    """Return the readable text of `details`."""
    return "".join([detail.text or detail.summary or "" for detail in details])


def sealed(details: Sequence[ReasoningDetail] = ()) -> str:
    """
    Encode entries of another provider as text, for the signature field of a dialect that has no other place for them.

    Return the bare `SEAL` if they are only prose, which the dialect has in another field.
    """
    if not any(detail.signature or detail.data for detail in details):
        return SEAL
    return SEAL + msgspec.json.encode({"details": details}).decode()


def unsealed(signature: str) -> list[ReasoningDetail] | None:
    """Decode what `sealed` encoded; None for a provider's own signature, no entries for an invalid encoding."""
    if not signature.startswith(SEAL):
        return None
    match = _SEALED.fullmatch(signature)
    try:
        return msgspec.json.decode(match["entry"], type=_Sealed).details if match else []
    except (msgspec.DecodeError, RecursionError):
        return []


def hidden_extra(extra_content: msgspec.Raw, call_id: str | None = None) -> list[ReasoningDetail]:
    """
    Return the `extra_content` of a message or a tool call as an entry for `sealed`; none if it is missing.

    In the canonical form it carries Gemini's thought signatures; the other dialects have no field for it.
    """
    if not is_given(extra_content):
        return []
    return [
        ReasoningDetail("reasoning.encrypted", data=bytes(extra_content).decode(), id=call_id, format=_EXTRA_FORMAT)
    ]


def restore_extras(message: dict[str, Any]) -> None:
    """Move the entries of `hidden_extra` back to `extra_content`, in an assistant message that a client sent back."""
    details: Sequence[ReasoningDetail] = message.get("reasoning_details", ())
    hidden = {detail.id: detail.data or "" for detail in details if detail.format == _EXTRA_FORMAT}
    if not hidden:
        return
    message["reasoning_details"] = [detail for detail in details if detail.format != _EXTRA_FORMAT]
    calls = {call["id"]: call for call in message.get("tool_calls", ())}
    for call_id, text in hidden.items():
        holder = message if call_id is None else calls.get(call_id)
        try:
            extra = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            continue  # an invalid encoding
        if holder is not None:
            holder["extra_content"] = extra


class _Sealed(msgspec.Struct, frozen=True):
    details: list[ReasoningDetail]
