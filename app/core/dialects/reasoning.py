"""
Reasoning that a provider wants to see again: how it travels through a conversation in the canonical form.

An assistant message has `reasoning_content` (prose) and `reasoning_details`, a list of entries in the form that
OpenRouter introduced (https://openrouter.ai/docs/use-cases/reasoning-tokens): readable text with a signature, a
summary, or something that only its provider can read. `format` says whose it is, and nobody else is sent it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from app.core.dialects.absent import is_given

CLAUDE_FORMAT: Final = "anthropic-claude-v1"
RESPONSES_FORMAT: Final = "openai-responses-v1"
SEAL: Final = "wizard:1:"  # no signature of a provider begins like this: they are base64
_EXTRA_FORMAT: Final = "wizard-extra-content"
_SEALED = re.compile(SEAL + "(?P<entry>[{].*[}])", re.DOTALL)


class ReasoningDetail(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    One entry: `reasoning.text` (with `text` and `signature`), `reasoning.summary`, or `reasoning.encrypted` (`data`).

    `id` joins the entries that were one item at their provider. In a stream an entry comes whole, behind its prose.
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
    """Return what people can read of it."""
    return "".join([detail.text or detail.summary or "" for detail in details])


def sealed(details: Sequence[ReasoningDetail] = ()) -> str:
    """
    Return entries of another provider as a text that stands where a dialect has place for a signature only.

    It is the bare `SEAL` if they hold nothing but prose, which stands beside it.
    """
    if not any(detail.signature or detail.data for detail in details):
        return SEAL
    return SEAL + msgspec.json.encode({"details": details}).decode()


def unsealed(signature: str) -> list[ReasoningDetail] | None:
    """Return the entries that `sealed` hid, or None for a signature of a provider. Broken seals hold nothing."""
    if not signature.startswith(SEAL):
        return None
    found = _SEALED.fullmatch(signature)
    try:
        return msgspec.json.decode(found["entry"], type=_Sealed).details if found else []
    except (msgspec.DecodeError, RecursionError):
        return []


def hidden_extra(extra_content: msgspec.Raw, call_id: str | None = None) -> list[ReasoningDetail]:
    """
    Return the `extra_content` of a message or a call as an entry to seal; none if there is nothing.

    It is where Gemini's thought signatures travel in the canonical form, and the other dialects have no place for it.
    """
    if not is_given(extra_content):
        return []
    return [
        ReasoningDetail("reasoning.encrypted", data=bytes(extra_content).decode(), id=call_id, format=_EXTRA_FORMAT)
    ]


def restore_extras(message: dict[str, Any]) -> None:
    """Put what `hidden_extra` hid back where it was, in a message of the assistant whose client sent it back."""
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
            continue  # a broken seal, which holds nothing
        if holder is not None:
            holder["extra_content"] = extra


class _Sealed(msgspec.Struct, frozen=True):
    details: list[ReasoningDetail]
