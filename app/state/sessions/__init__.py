"""
Stores of sessions: memory, files, SQLite or Redis. One contract suite tests all of them.

An expired session loses its messages; its existence is remembered for `GRACE_S`, so that its owner learns why it is
gone.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.sessions import Raw, not_found

GRACE_S: Final = 86_400.0
SWEEP_EVERY_S: Final = 60.0


class StoreLimits(msgspec.Struct, frozen=True):
    """Bounds: sessions per owner, and total bytes for the memory store."""

    sessions_max: int
    total_max_bytes: int


def joined(messages: tuple[Raw, ...]) -> bytes:
    """Return messages as one JSON array."""
    return b"[%b]" % b",".join(messages)


def parted(messages: bytes) -> tuple[Raw, ...]:
    """Return the messages of a JSON array as raw bytes."""
    return tuple([bytes(raw) for raw in msgspec.json.decode(messages, type=tuple[msgspec.Raw, ...])])


def checked(session_id: str) -> str:
    """
    Return the id of a session, after checking that it is safe as a part of file names and keys.

    Raises:
        GatewayError: SESSION_NOT_FOUND.
    """
    if not session_id.isascii() or not session_id.replace("_", "").isalnum():
        raise not_found(session_id)
    return session_id
