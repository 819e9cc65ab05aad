"""
Where sessions are kept: in memory, in files, in SQLite or in Redis. One contract suite holds for all of them.

A session that expired loses its messages; that it was there is remembered for `GRACE_S`, so that its owner is told why
it is gone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.sessions import Raw, not_found

GRACE_S: Final = 86_400.0
SWEEP_EVERY_S: Final = 60.0


class StoreLimits(msgspec.Struct, frozen=True):
    """How much is kept: sessions of one owner, and bytes altogether where that is memory of the process."""

    sessions_max: int
    total_max_bytes: int


def joined(messages: tuple[Raw, ...]) -> bytes:
    """Return messages as one JSON array."""
    return b"[%b]" % b",".join(messages)


def parted(messages: bytes) -> tuple[Raw, ...]:
    """Return the messages of a JSON array as they were."""
    return tuple([bytes(raw) for raw in msgspec.json.decode(messages, type=tuple[msgspec.Raw, ...])])


def checked(session_id: str) -> str:
    """
    Return the id of a session, which leads nowhere else where it is part of a name.

    Raises:
        GatewayError: SESSION_NOT_FOUND.
    """
    if not session_id.isascii() or not session_id.replace("_", "").isalnum():
        raise not_found(session_id)
    return session_id
