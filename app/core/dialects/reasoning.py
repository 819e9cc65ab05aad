"""
Reasoning that a provider wants to see again: how it travels through a conversation in the canonical form.

An assistant message has `reasoning_content` (prose) and `reasoning_details`, a list of entries in the form that
OpenRouter introduced (https://openrouter.ai/docs/use-cases/reasoning-tokens): readable text with a signature, a
summary, or something that only its provider can read. `format` says whose it is, and nobody else is sent it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import msgspec

CLAUDE_FORMAT: Final = "anthropic-claude-v1"
RESPONSES_FORMAT: Final = "openai-responses-v1"
_SEAL = "wizard:1:"  # no signature of a provider begins like this: they are base64
_SEALED = re.compile(_SEAL + "(?P<entry>[{].*[}])", re.DOTALL)


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


def sealed(details: Sequence[ReasoningDetail]) -> str:
    """Return entries of another provider as a text that stands where a dialect has place for a signature only."""
    return _SEAL + msgspec.json.encode({"details": details}).decode()


def unsealed(signature: str) -> list[ReasoningDetail] | None:
    """Return the entries that `sealed` hid, or None for a signature of a provider. Broken seals hold nothing."""
    if not signature.startswith(_SEAL):
        return None
    found = _SEALED.fullmatch(signature)
    try:
        return msgspec.json.decode(found["entry"], type=_Sealed).details if found else []
    except (msgspec.DecodeError, RecursionError):
        return []


class _Sealed(msgspec.Struct, frozen=True):
    details: list[ReasoningDetail]
