"""The protocol between two workers: a question about a topic, then frames of its answer until the connection closes."""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

FRAME_MAX_BYTES: Final = 64 * 1024 * 1024
_LENGTH_BYTES: Final = 4


class Question(msgspec.Struct, frozen=True):
    """A question; the format of `about` is up to the topic."""

    topic: str
    about: bytes = b""


async def read_frame(reader: asyncio.StreamReader) -> bytes | None:
    """
    Return the next frame, or None at the end.

    Raises:
        OSError: The connection broke, or the bytes are not a frame.
    """
    try:
        length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES))
        if length > FRAME_MAX_BYTES:
            raise ConnectionAbortedError("the frame is too long")
        return await reader.readexactly(length)
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise ConnectionResetError("the connection ended inside a frame") from error
        return None


def framed(content: bytes) -> bytes:
    """Return `content` as a frame."""
    return len(content).to_bytes(_LENGTH_BYTES) + content
