"""
Conversations in a provider's own form: what only looks like its own is taken out before it gets there.

The reasoning of other models is shown to clients under a seal of the gateway, as blocks of Anthropic's form or items of
the Responses API's. They send it back as it is, also when the next turn goes to a model of that provider, which would
refuse a signature that it never gave, or content that it never encrypted.
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
    """Return a Messages request without sealed thoughts; the very same bytes if it holds none."""
    if _MARK not in raw:
        return raw
    body = OBJECT.decode(raw)
    turns = msgspec.json.decode(body["messages"], type=list[Members])
    kept = []
    for turn in turns:
        own = _without(turn["content"], _is_sealed_block)
        if own is turn["content"] or bytes(own) != b"[]":  # a turn of nothing else goes whole
            kept.append({**turn, "content": own})
    return raw if kept == turns else msgspec.json.encode({**body, "messages": kept})


def own_items(raw: bytes) -> bytes:
    """Return a Responses request without sealed items; the very same bytes if it holds none."""
    if _MARK not in raw:
        return raw
    body = OBJECT.decode(raw)
    given = body.get("input", msgspec.Raw())
    own = _without(given, _is_sealed_item)
    return raw if own is given else msgspec.json.encode({**body, "input": own})


def _without(given: msgspec.Raw, is_sealed: Callable[[bytes], bool]) -> msgspec.Raw:
    """Return a list without what is sealed, and anything else as it is."""
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
