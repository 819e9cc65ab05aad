"""
Answer HTTP/1.0 clients, which know neither chunks (RFC 9112, 6.1) nor `100 Continue` (RFC 9110, 10.1.1).

There, the end of the connection ends a stream, whether it is complete or not. So a connection that is closed before its
stream has ended is reset: the client's reads fail, like those of a chunked body without a last chunk.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGISendEvent


def unframe(cycle: RequestResponseCycle) -> None:
    """Let a request of HTTP/1.0 be answered by that version's rules; call this before the request starts."""
    if cycle.scope["http_version"] == "1.0":
        cycle.__class__ = _UnframedCycle  # uvicorn has no setting for the class
        cycle.waiting_for_100_continue = False


class _UnframedCycle(RequestResponseCycle):
    open_end = False

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start":
            self.open_end = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
            if self.open_end:
                self.chunked_encoding = False
                _reset_at_close(self.transport, reset=True)
        elif self.open_end and message["type"] == "http.response.body":
            self.expected_content_length = len(message.get("body", b""))  # so that uvicorn's own check passes
            if not message.get("more_body", False):
                _reset_at_close(self.transport, reset=False)
        await super().send(message)


def _reset_at_close(transport: asyncio.Transport, *, reset: bool) -> None:
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", reset, 0))
