"""The entries of a stream's tape, and their encoding in Redis."""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

import msgspec

from app.core.tapes import TapeEnd


class Begun(msgspec.Struct, frozen=True, tag=0, array_like=True):
    """The stream's owner, the replica that writes it, and the error frames of its dialect for a lost rest."""

    tenant: str
    request_id: str
    replica: str
    cut: bytes


class Piece(msgspec.Struct, frozen=True, tag=1, array_like=True):
    """More whole events."""

    data: bytes


class Ended(msgspec.Struct, frozen=True, tag=2, array_like=True):
    """The end."""

    how: TapeEnd


Entry: TypeAlias = Begun | Piece | Ended

_ENTRIES: Final = msgspec.msgpack.Decoder(tuple[int, Entry])


class Seal(Protocol):
    """The name of a stream in Redis, and the encryption of its entries."""

    name: str

    def closed(self, data: bytes) -> bytes:
        """Encrypt an entry."""

    def opened(self, sealed: bytes) -> bytes:
        """
        Decrypt an entry.

        Raises:
            ValueError: It was encrypted with another key, or changed.
        """


def sealed(seal: Seal, number: int, entry: Entry) -> bytes:
    """Encode an entry for Redis; its number reveals duplicates."""
    return seal.closed(msgspec.msgpack.encode((number, entry)))


def unsealed(seal: Seal, written: bytes) -> tuple[int, Entry]:
    """
    Decode what `sealed` returned.

    Raises:
        ValueError: It was encrypted with another key, or is of another version of the gateway.
    """
    try:
        return _ENTRIES.decode(seal.opened(written))
    except msgspec.MsgspecError as error:
        raise ValueError("no entry of a tape") from error


def key_of(seal: Seal) -> str:
    """Return the key of a stream and of its lease: readers know nothing else of it."""
    return f"stream:{seal.name}"
