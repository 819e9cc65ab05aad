"""What is written of a stream, and how Redis gets it."""

from __future__ import annotations

from typing import Final, Protocol, TypeAlias

import msgspec

from app.core.tapes import TapeEnd


class Begun(msgspec.Struct, frozen=True, tag=0, array_like=True):
    """Whose stream it is, which replica writes it, and what is said in its dialect where there is no more to be had."""

    tenant: str
    request_id: str
    replica: str
    cut: bytes


class Piece(msgspec.Struct, frozen=True, tag=1, array_like=True):
    """More of it: whole events."""

    data: bytes


class Ended(msgspec.Struct, frozen=True, tag=2, array_like=True):
    """No more will come."""

    how: TapeEnd


Entry: TypeAlias = Begun | Piece | Ended

_ENTRIES: Final = msgspec.msgpack.Decoder(tuple[int, Entry])


class Seal(Protocol):
    """What Redis may know of one stream: a `name` for it, and what is closed by it."""

    name: str

    def closed(self, data: bytes) -> bytes:
        """Seal something."""

    def opened(self, sealed: bytes) -> bytes:
        """
        Return what was sealed.

        Raises:
            ValueError: It was sealed by another key, or changed.
        """


def sealed(seal: Seal, number: int, entry: Entry) -> bytes:
    """Return an entry as Redis gets it; by its number it is known again if it is there twice."""
    return seal.closed(msgspec.msgpack.encode((number, entry)))


def unsealed(seal: Seal, written: bytes) -> tuple[int, Entry]:
    """
    Return what `sealed` was given.

    Raises:
        ValueError: It was sealed by another key, or is of another version of the gateway.
    """
    try:
        return _ENTRIES.decode(seal.opened(written))
    except msgspec.MsgspecError as error:
        raise ValueError("no entry of a tape") from error


def key_of(seal: Seal) -> str:
    """Return under which key a stream is found, and its lease held: who reads has nothing else to know it by."""
    return f"stream:{seal.name}"
