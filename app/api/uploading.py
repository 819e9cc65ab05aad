"""
A request body that is streamed to the provider while it arrives.

`ClientWatch` drives the reading, because it watches the client anyway. One piece is held at a time: backpressure from
the provider reaches the client, and memory use stays bounded.
"""

from __future__ import annotations

import asyncio

from app.api.asgi import Message, Receive, too_large
from app.core.errors import CLIENT_CLOSED, GatewayError


class Incoming:
    """
    The `Upload` on ASGI's `receive`.

    Args:
        length: Bytes still to come, if declared.

        max_bytes: The most that is accepted.
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
        self._ended = self._disconnected = False
        self._piece_taken: asyncio.Future[None] | None = None
        self._arrival: asyncio.Future[None] | None = None

    async def next(self) -> bytes | None:
        """Return the next piece; see the port."""
        while self._piece is None:
            if self._size > self._max_bytes:
                raise too_large(self._max_bytes)
            if self._ended:
                return None
            if self._disconnected:  # calls may go on without their client, but not without the rest of their body
                raise GatewayError(CLIENT_CLOSED, "The client left in the middle of its request.")
            self._arrival = asyncio.get_running_loop().create_future()
            await self._arrival
        piece, self._piece = self._piece, None
        self.begun = True
        _wake(self._piece_taken)
        return piece

    async def watched(self) -> Message:
        """Read the body, offering each piece to `next`; return the disconnect message. Serves as ASGI's `receive`."""
        while True:
            await self._wait_until_taken()
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._disconnected = True
                _wake(self._arrival)
                return message
            body: bytes = message.get("body", b"")
            self._size += len(body)
            if self._size <= self._max_bytes:
                self._piece = body or None
            self._ended = self._ended or not message.get("more_body", False)
            _wake(self._arrival)

    async def _wait_until_taken(self) -> None:
        while self._piece is not None and not self._ended:
            self._piece_taken = asyncio.get_running_loop().create_future()
            await self._piece_taken


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
