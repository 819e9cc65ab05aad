"""
AWS event streams from bytes, incrementally and without I/O.

A message is (https://smithy.io/2.0/aws/amazon-eventstream.html, all numbers big-endian):

    total bytes (4) | header bytes (4) | CRC-32 of these eight (4) | headers | payload | CRC-32 of all before (4)

and a header a name (1 byte of length, then it), the number of a type, and a value. Both sums are checked: the length
comes first, and nothing may be believed of a frame that was damaged.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final
from zlib import crc32

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.providers.canonical.decoding import broken_off

MESSAGE_MAX_BYTES: Final = 16_777_216  # as much as the format allows
_PRELUDE = struct.Struct(">III")
_SUM = struct.Struct(">I")
_LEAST_BYTES = _PRELUDE.size + _SUM.size
_STRING = 7
# Bytes of the values of the other types; -1 is for those that begin with their length: bytes and text.
_SIZES: Final[Mapping[int, int]] = MappingProxyType(
    {0: 0, 1: 0, 2: 1, 3: 2, 4: 4, 5: 8, 6: -1, _STRING: -1, 8: 8, 9: 16}
)


class Message(msgspec.Struct, frozen=True):
    """One message; `headers` are those with text in them, which are all that Bedrock sends."""

    headers: Mapping[str, str]
    payload: bytes


class Messages:
    """Feed bytes in, get complete messages out, however the bytes were cut."""

    def __init__(self) -> None:
        self._pending = bytearray()

    def feed(self, data: bytes) -> list[Message]:
        """Take the next bytes and return the messages they complete, once their sums and lengths are right."""
        self._pending += data
        messages = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def flush(self) -> list[Message]:
        """Return none, as no message is complete without its sum; raise TARGET_UNAVAILABLE if one has begun."""
        if self._pending:
            raise broken_off()
        return []

    def _next(self) -> Message | None:
        if len(self._pending) < _PRELUDE.size:
            return None
        total, header_bytes, prelude_sum = _PRELUDE.unpack_from(self._pending)
        if crc32(self._pending[:8]) != prelude_sum:
            raise _damaged("the checksum of its head is wrong")
        if not _LEAST_BYTES + header_bytes <= total <= MESSAGE_MAX_BYTES:
            raise _damaged(f"its length is {total}")
        if len(self._pending) < total:
            return None
        frame = bytes(self._pending[:total])
        del self._pending[:total]
        if crc32(frame[: -_SUM.size]) != _SUM.unpack_from(frame, total - _SUM.size)[0]:
            raise _damaged("its checksum is wrong")
        end = _PRELUDE.size + header_bytes
        return Message(dict(_headers(frame[_PRELUDE.size : end])), frame[end : -_SUM.size])


def _headers(data: bytes) -> Iterator[tuple[str, str]]:
    place = 0
    try:
        while place < len(data):
            name_end = place + 1 + data[place]
            name, kind, start = data[place + 1 : name_end].decode(), data[name_end], name_end + 1
            size = _SIZES[kind]
            if size < 0:
                size, start = int.from_bytes(data[start : start + 2]), start + 2
            place = start + size
            if kind == _STRING:
                yield name, data[start:place].decode()
    except (IndexError, KeyError, UnicodeDecodeError) as error:
        raise _damaged("its headers cannot be read") from error
    if place > len(data):
        raise _damaged("its headers are cut off")


def _damaged(how: str) -> GatewayError:
    return GatewayError(BAD_UPSTREAM_REPLY, f"The provider sent a damaged event: {how}.")
