"""
Conversations in Anthropic's own form: what only looks like Anthropic's is taken out before it gets there.

The thinking of other models is shown to clients as blocks under a seal of the gateway. They send them back as they
are, also when the next turn goes to a model of Anthropic's, which would refuse a signature that it never gave.
"""

from __future__ import annotations

import msgspec

from app.core.dialects.anthropic import Block
from app.core.dialects.reasoning import SEAL
from app.core.members import OBJECT

_MARK = SEAL.encode()
_BLOCK = msgspec.json.Decoder(Block)


def without_foreign_thoughts(raw: bytes) -> bytes:
    """Return a Messages request without sealed thoughts; the very same bytes if it holds none."""
    if _MARK not in raw:
        return raw
    body = OBJECT.decode(raw)
    turns = msgspec.json.decode(body["messages"], type=list[dict[str, msgspec.Raw]])
    kept = [own for turn in turns if (own := _own(turn)) is not None]
    if kept == turns:
        return raw
    return msgspec.json.encode({**body, "messages": kept})


def _own(turn: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw] | None:
    """Return a turn without sealed blocks, or None if nothing else was in it."""
    content = bytes(turn["content"])
    if _MARK not in content or not content.startswith(b"["):
        return turn
    blocks = msgspec.json.decode(content, type=list[msgspec.Raw])
    kept = [block for block in blocks if not _is_sealed(bytes(block))]
    if len(kept) == len(blocks):
        return turn
    return {**turn, "content": msgspec.Raw(msgspec.json.encode(kept))} if kept else None


def _is_sealed(raw: bytes) -> bool:
    if _MARK not in raw:
        return False
    block = _BLOCK.decode(raw)
    hidden = {"thinking": block.signature, "redacted_thinking": block.data}.get(block.type)
    return bool(hidden and hidden.startswith(SEAL))
