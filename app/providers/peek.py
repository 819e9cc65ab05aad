"""Answers whose length nobody told: read whole if they are small, and else gone on with from where reading stopped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping

from app.core.ports import UpstreamReply
from app.providers.reading import ReadGuard


class Resumed:
    """A reply of which the beginning was read; gives all of it all the same."""

    def __init__(self, reply: UpstreamReply, held: bytes, rest: AsyncIterator[bytes]) -> None:
        self._reply = reply
        self._held = held
        self._rest = rest

    @property
    def status(self) -> int:
        """Return the HTTP status."""
        return self._reply.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers."""
        return self._reply.headers

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body; see the port."""
        yield self._held
        async for data in self._rest:
            yield data

    async def aclose(self) -> None:
        """Give the connection back or drop it."""
        await self._reply.aclose()


async def looked(reply: UpstreamReply, guard: ReadGuard, max_bytes: int) -> bytes | Resumed:
    """
    Return the whole body, or the reply with its beginning if that is more than `max_bytes`.

    Raises:
        GatewayError: The kinds of `ReadGuard.next`.
    """
    parts, size = list[bytes](), 0
    chunks = reply.chunks()
    with guard:
        while (data := await guard.next(chunks)) is not None:
            parts.append(data)
            size += len(data)
            if size > max_bytes:
                return Resumed(reply, b"".join(parts), chunks)
    return b"".join(parts)
