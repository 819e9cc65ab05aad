"""The body of a request that is not held in memory: it is read from the caller while it is sent to the provider."""

from __future__ import annotations

from typing import Protocol


class Upload(Protocol):
    """One body, to be read once. Whoever has begun to read it cannot send it again."""

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


async def whole(upload: Upload, max_bytes: int) -> bytes | None:
    """Return all of an upload, for those who have to see it before they send it; None if it is larger than that."""
    parts, size = list[bytes](), 0
    while (piece := await upload.next()) is not None:
        size += len(piece)
        if size > max_bytes:
            return None
        parts.append(piece)
    return b"".join(parts)
