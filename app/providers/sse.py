"""
Server-sent events from bytes, incrementally and without I/O.

Follows the WHATWG event stream grammar: LF, CRLF and CR end lines, several `data` lines join, comments and frames
without data are dropped, a byte order mark at the start is ignored. A frame is bounded in size, so that an upstream
that never ends a line cannot fill the memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError

FRAME_MAX_BYTES = 16_777_216  # some models stream whole images, 1 to 3 MB each, as one frame
_BOM = b"\xef\xbb\xbf"
_BORDER = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BORDER_OVERLAP = 3  # one byte less than the longest border


class SseFrame(msgspec.Struct, frozen=True):
    """
    One event with data.

    `raw` is the frame as received, with its blank line; `plain` says that it is nothing but one `data: ...` line
    ended by LF, which is safe to forward to any client as it is.
    """

    raw: bytes
    data: bytes
    event: bytes
    plain: bool


class SseFrames:
    """Feed bytes in, get complete frames out, however the bytes were cut."""

    __slots__ = ("_begun", "_frame_max_bytes", "_pending", "_pending_bytes", "_tail")

    def __init__(self, frame_max_bytes: int = FRAME_MAX_BYTES) -> None:
        self._frame_max_bytes = frame_max_bytes
        self._pending: list[bytes] = []
        self._pending_bytes = 0
        self._tail = b""
        self._begun = False

    def feed(self, data: bytes) -> list[SseFrame]:
        """
        Take the next bytes and return the frames they complete.

        Raises:
            GatewayError: BAD_UPSTREAM_REPLY when a frame grows beyond its bound.
        """
        if (
            not self._pending
            and data.startswith(b"data: ")
            and data.find(b"\n") == len(data) - 2
            and data.endswith(b"\n\n")
            and b"\r" not in data
        ):  # one plain frame, which is what nearly every read of a live stream brings
            self._begun = True
            return [SseFrame(data, data[6:-2], b"", plain=True)]
        if self._pending:
            joint = self._tail + data
            if not _has_border(joint):
                self._keep(data, joint)
                return []
            data = b"".join((*self._pending, data))
            self._pending, self._pending_bytes = [], 0
        if not self._begun:
            if len(data) < len(_BOM) and _BOM.startswith(data):
                self._keep(data, data)
                return []
            self._begun = True
            data = data.removeprefix(_BOM)
        return self._split(data)

    def flush(self) -> list[SseFrame]:
        """Return the last frame if its blank line is all that is missing."""
        rest = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        if not self._begun:
            rest = rest.removeprefix(_BOM)
        frame = _parse(rest + b"\n\n") if rest else None
        return [] if frame is None else [frame]

    def _split(self, data: bytes) -> list[SseFrame]:
        if b"\r" in data:
            return self._split_at(_BORDER.finditer(data), data)
        *pieces, rest = data.split(b"\n\n")
        if rest:
            self._keep(rest, rest)
        frames = []
        for piece in pieces:
            if piece.startswith(b"data: ") and b"\n" not in piece:
                frames.append(SseFrame(piece + b"\n\n", piece[6:], b"", plain=True))
            elif (frame := _parse(piece + b"\n\n")) is not None:
                frames.append(frame)
        return frames

    def _split_at(self, borders: Iterator[re.Match[bytes]], data: bytes) -> list[SseFrame]:
        pieces: list[bytes] = []
        start = 0
        for border in borders:
            pieces.append(data[start : border.end()])
            start = border.end()
        if start < len(data):
            rest = data[start:] if start else data
            self._keep(rest, rest)
        return [frame for piece in pieces if (frame := _parse(piece)) is not None]

    def _keep(self, data: bytes, joint: bytes) -> None:
        self._pending.append(data)
        self._pending_bytes += len(data)
        self._tail = joint[-_BORDER_OVERLAP:]
        if self._pending_bytes > self._frame_max_bytes:
            raise GatewayError(
                BAD_UPSTREAM_REPLY, f"The provider sent an event of more than {self._frame_max_bytes} bytes."
            )


class _Kind(msgspec.Struct, frozen=True):
    type: str


def kind_of(data: bytes) -> str | None:
    """Return the `type` of an event's data, where nothing else of it is understood; None if it has none."""
    try:
        return msgspec.json.decode(data, type=_Kind).type
    except (msgspec.DecodeError, RecursionError):
        return None


def named_frame(frame: SseFrame, name: str) -> bytes:
    """Return a frame that is nothing but an event's `name` and its data: the original one, if it is."""
    start = b"event: %b\ndata: " % name.encode()
    if frame.raw.startswith(start) and frame.raw.find(b"\n", len(start)) == len(frame.raw) - 2:
        return frame.raw
    return b"%b%b\n\n" % (start, frame.data.replace(b"\n", b" "))


def _has_border(data: bytes) -> bool:
    return b"\n\n" in data if b"\r" not in data else _BORDER.search(data) is not None


def _parse(piece: bytes) -> SseFrame | None:
    data: list[bytes] = []
    event = b""
    for line in _LINE_END.split(piece):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name == b"event":
            event = value
    return SseFrame(piece, b"\n".join(data), event, plain=False) if data else None
