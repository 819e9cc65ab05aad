"""
A request's body that is handed on while it arrives.

The client is watched all the while (`ClientWatch`), and what the watch reads of the body is offered here piece by
piece: one is held at a time, so that a provider that reads slowly slows its caller down, and nothing fills the memory.
"""

from __future__ import annotations

import asyncio

from app.api.asgi import Message, Receive, too_large
from app.core.errors import CLIENT_CLOSED, GatewayError


class Incoming:
    """
    The `Upload` on ASGI's `receive`.

    Args:
        length: What is still to come, if the caller said that.

        max_bytes: The most that is taken.
    """

    def __init__(self, receive: Receive, length: int | None, max_bytes: int) -> None:
        if length is not None and length > max_bytes:
            raise too_large(max_bytes)
        self.length = length
        self.begun = False
        self._receive = receive
        self._max_bytes = max_bytes
        self._piece: bytes | None = None
        self._size = 0
        self._over = self._left = False
        self._taken: asyncio.Future[None] | None = None
        self._came: asyncio.Future[None] | None = None

    async def next(self) -> bytes | None:
        """Return the next piece; see the port."""
        while self._piece is None:
            if self._size > self._max_bytes:
                raise too_large(self._max_bytes)
            if self._over:
                return None
            if self._left:  # where calls go on without their clients, this one cannot
                raise GatewayError(CLIENT_CLOSED, "The client left in the middle of its request.")
            self._came = asyncio.get_running_loop().create_future()
            await self._came
        piece, self._piece = self._piece, None
        self.begun = True
        _wake(self._taken)
        return piece

    async def watched(self) -> Message:
        """Offer what arrives, for as long as something does; return the news that the client has left."""
        while True:
            await self._room()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._left = True
                _wake(self._came)
                return message
            body: bytes = message.get("body", b"")
            self._size += len(body)
            if self._size <= self._max_bytes:
                self._piece = body or None
            self._over = self._over or not message.get("more_body", False)
            _wake(self._came)

    async def _room(self) -> None:
        while self._piece is not None and not self._over:
            self._taken = asyncio.get_running_loop().create_future()
            await self._taken


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
