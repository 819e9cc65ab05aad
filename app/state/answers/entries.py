"""
The entries of the Redis list by which one replica passes an answer in progress to others.

First the answer's origin, then its frames as they arrive, then its end or its error; or a whole answer at once.
"""

from __future__ import annotations

import zlib
from typing import Final, TypeAlias

import msgspec

from app.core.caching.stored import Origin, Stored
from app.core.errors import INTERNAL, KINDS, GatewayError

_PLAIN: Final = b"0"
_SMALL: Final = b"1"
_LEVEL: Final = 1  # a third of the size, in a tenth of the time of the best level


class Head(msgspec.Struct, frozen=True, tag=0, array_like=True):
    """A stream begins."""

    origin: Origin


class Frames(msgspec.Struct, frozen=True, tag=1, array_like=True):
    """More of a stream."""

    frames: tuple[bytes, ...]


class Done(msgspec.Struct, frozen=True, tag=2, array_like=True):
    """A stream is complete."""


class Whole(msgspec.Struct, frozen=True, tag=3, array_like=True):
    """All of an answer, as it is stored."""

    packed: bytes


class Apart(msgspec.Struct, frozen=True, tag=5, array_like=True):
    """There will be an answer, but its form or size cannot be shared."""


class Failed(msgspec.Struct, frozen=True, tag=4, array_like=True):
    """The call failed, before or during its answer."""

    code: str
    message: str
    param: str | None
    retry_after_s: float | None
    suggestion: str
    provider: str | None
    from_upstream: bool
    upstream_status: int | None
    retries_spent: bool = False
    origin: Origin | None = None


Entry: TypeAlias = Head | Frames | Done | Whole | Failed | Apart

_ENTRIES: Final = msgspec.msgpack.Decoder(tuple[int, Entry])
_STORED: Final = msgspec.msgpack.Decoder(Stored)


def written(number: int, entry: Entry) -> bytes:
    """Encode an entry for the list; its number reveals duplicates."""
    return msgspec.msgpack.encode((number, entry))


def read(entry: bytes) -> tuple[int, Entry]:
    """
    Decode an entry of the list.

    Raises:
        msgspec.MsgspecError: It is of another version of the gateway.
    """
    return _ENTRIES.decode(entry)


def packed(stored: Stored, compress_min_bytes: int) -> bytes:
    """Encode a stored answer for Redis."""
    plain = msgspec.msgpack.encode(stored)
    return _PLAIN + plain if len(plain) < compress_min_bytes else _SMALL + zlib.compress(plain, _LEVEL)


def unpacked(blob: bytes) -> Stored | None:
    """Decode a stored answer; None if there is none, or it is of another version of the gateway."""
    try:
        return _STORED.decode(zlib.decompress(blob[1:]) if blob[:1] == _SMALL else blob[1:])
    except (msgspec.MsgspecError, zlib.error):
        return None


def failed(error: GatewayError, origin: Origin | None = None) -> Failed:
    """Encode a failure, with the attempts before it unless the head of a stream had them."""
    return Failed(
        error.kind.code,
        error.message,
        error.param,
        error.retry_after_s,
        error.suggestion,
        error.provider,
        error.from_upstream,
        error.upstream_status,
        error.retries_spent,
        origin,
    )


def error_of(entry: Failed) -> GatewayError:
    """Decode a failure."""
    kind = next((kind for kind in KINDS if kind.code == entry.code), INTERNAL)
    error = GatewayError(
        kind,
        entry.message,
        param=entry.param,
        retry_after_s=entry.retry_after_s,
        suggestion=entry.suggestion,
    )
    error.provider, error.from_upstream = entry.provider, entry.from_upstream
    error.upstream_status, error.retries_spent = entry.upstream_status, entry.retries_spent
    return error
