"""
Conversations in the form of the Responses API: what only looks like OpenAI's is taken out before it gets there.

The reasoning of other models is shown to clients as items under a seal of the gateway. They send them back as they
are, also when the next turn goes to a model of OpenAI's, which would refuse content that it never encrypted.
"""

from __future__ import annotations

import msgspec

from app.core.dialects.reasoning import SEAL
from app.core.dialects.responses import Item
from app.core.members import OBJECT

_MARK = SEAL.encode()
_ITEM = msgspec.json.Decoder(Item)


def without_foreign_thoughts(raw: bytes) -> bytes:
    """Return a Responses request without sealed items; the very same bytes if it holds none."""
    if _MARK not in raw:
        return raw
    body = OBJECT.decode(raw)
    given = bytes(body.get("input", b""))
    if not given.startswith(b"["):
        return raw
    items = msgspec.json.decode(given, type=list[msgspec.Raw])
    kept = [item for item in items if not _is_sealed(bytes(item))]
    return raw if len(kept) == len(items) else msgspec.json.encode({**body, "input": kept})


def _is_sealed(raw: bytes) -> bool:
    if _MARK not in raw:
        return False
    item = _ITEM.decode(raw)
    return item.type == "reasoning" and (item.encrypted_content or "").startswith(SEAL)
