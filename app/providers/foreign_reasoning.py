"""
Removes the reasoning of other models from requests in a provider's own dialect.

The gateway shows reasoning of other models as Anthropic blocks or Responses items, marked by a seal of its own. Clients
send these back unchanged, even if the next turn goes to Anthropic or OpenAI itself, which would reject a signature that
it never issued, or content that it never encrypted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from app.core.dialects.anthropic import Block
from app.core.dialects.reasoning import SEAL
from app.core.dialects.responses import Item
from app.core.json_text import OBJECT

Members: TypeAlias = dict[str, msgspec.Raw]

_MARK: Final = SEAL.encode()
_BLOCK: Final = msgspec.json.Decoder(Block)
_ITEM: Final = msgspec.json.Decoder(Item)


def own_messages(raw: bytes) -> bytes:
    """Return a Messages request without sealed reasoning; the same bytes if it has none."""
    if _MARK not in raw:
        return raw
    body = OBJECT.decode(raw)
    turns = msgspec.json.decode(body["messages"], type=list[Members])
    kept = []
    for turn in turns:
        own = _without(turn["content"], _is_sealed_block)
        if own is turn["content"] or bytes(own) != b"[]":  # a turn without anything else is removed
            kept.append({**turn, "content": own})
    return raw if kept == turns else msgspec.json.encode({**body, "messages": kept})


def own_items(raw: bytes) -> bytes:
    """Return a Responses request without sealed items; the same bytes if it has none."""
    if _MARK not in raw:
        return raw
    body = OBJECT.decode(raw)
    given = body.get("input", msgspec.Raw())
    own = _without(given, _is_sealed_item)
    return raw if own is given else msgspec.json.encode({**body, "input": own})


def _without(given: msgspec.Raw, is_sealed: Callable[[bytes], bool]) -> msgspec.Raw:
    """Return a list without its sealed members; any other value unchanged."""
    if _MARK not in bytes(given) or not bytes(given).startswith(b"["):
        return given
    entries = msgspec.json.decode(given, type=list[msgspec.Raw])
    kept = [entry for entry in entries if not (_MARK in bytes(entry) and is_sealed(bytes(entry)))]
    return given if len(kept) == len(entries) else msgspec.Raw(msgspec.json.encode(kept))


def _is_sealed_block(raw: bytes) -> bool:
    block = _BLOCK.decode(raw)
    hidden = {"thinking": block.signature, "redacted_thinking": block.data}.get(block.type)
    return bool(hidden and hidden.startswith(SEAL))


def _is_sealed_item(raw: bytes) -> bool:
    item = _ITEM.decode(raw)
    return item.type == "reasoning" and (item.encrypted_content or "").startswith(SEAL)
