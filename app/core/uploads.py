"""The rest of a body that is not held in memory: it is read from the caller while it is sent to the provider."""

from __future__ import annotations

from typing import Protocol


class Upload(Protocol):
    """
    A body, or what follows the part of it that is held. It can be read once.

    Whoever has begun to read it cannot send it again.
    """

    @property
    def length(self) -> int | None:
        """Return how many bytes it has, None where the caller did not say."""
        ...

    @property
    def begun(self) -> bool:
        """Say whether any of it was handed out."""
        ...

    async def next(self) -> bytes | None:
        """
        Return the next piece as soon as it is there, None at the end.

        Raises:
            GatewayError: BODY_TOO_LARGE.
        """
        ...


async def whole(held: bytes, upload: Upload, max_bytes: int) -> bytes | None:
    """Return all of a body, for those who have to see it before they send it; None if it is larger than that."""
    parts, size = [held], len(held)
    while (piece := await upload.next()) is not None:
        size += len(piece)
        if size > max_bytes:
            return None
        parts.append(piece)
    return b"".join(parts)
