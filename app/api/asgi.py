"""
The ASGI side of a hot route: read the body within its bound, write the answer, notice a client that leaves.

Pure ASGI: no middleware, no request object, nothing per chunk but one `send`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from types import TracebackType
from typing import Any, Self, TypeAlias

from app.core.disconnects import Departure
from app.core.errors import BODY_TOO_LARGE, GatewayError

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class ClientGoneError(Exception):
    """The client closed its connection; there is nobody left to answer."""


def declared_bytes(headers: Mapping[bytes, bytes]) -> int | None:
    """Return how long the body is, as far as its sender says so."""
    given = headers.get(b"content-length", b"")
    return int(given) if given.isdigit() else None


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], max_bytes: int) -> bytes:
    """
    Return the whole request body.

    Raises:
        GatewayError: BODY_TOO_LARGE, before any of a body is read whose declared length is over the bound.
        ClientGoneError: The client left in the middle.
    """
    if (declared_bytes(headers) or 0) > max_bytes:
        raise too_large(max_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    if body and len(body) <= max_bytes and not message.get("more_body", False):
        return body  # as nearly always
    parts, size = [body], len(body)
    while True:
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if size > max_bytes:
            raise too_large(max_bytes)
        if not message.get("more_body", False):
            return b"".join(parts)
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])


def too_large(max_bytes: int, suggestion: str | None = None) -> GatewayError:
    """Return what is said of a body beyond its bound."""
    return GatewayError(BODY_TOO_LARGE, f"The body is larger than {max_bytes} bytes.", suggestion=suggestion)


class AsgiSink:
    """The `Sink` port on ASGI's `send`."""

    __slots__ = ("_send", "begun", "streaming")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.streaming = False

    async def whole(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Send a complete response."""
        self.begun = True
        length = (b"content-length", b"%d" % len(body))
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
        await self._send({"type": "http.response.body", "body": body})

    async def head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Begin a response whose length is not known."""
        self.begun = self.streaming = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, data: bytes) -> None:
        """Send a piece of the body; the server waits here while the client does not read."""
        if data:  # an event may mean nothing in the client's dialect
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """End the body properly."""
        await self._send({"type": "http.response.body", "body": b""})

    async def abort(self) -> None:
        """Leave the response incomplete: the server then drops the connection without the final chunk."""


class ClientWatch:
    """
    While inside, cancel the current task when the client leaves, and turn that into `ClientGoneError`.

    Enter it once the request body has been read: from then on the only news a client can send is that it is gone.

    Args:
        receive: ASGI's.

        departure: Asked when the client leaves; the task goes on if it says so. The server takes what is sent to a
            client that is gone, and waits for the task when it ends itself.
    """

    __slots__ = ("_departure", "_gone", "_handling", "_over", "_watching")

    def __init__(self, receive: Receive, departure: Departure | None = None) -> None:
        self._watching = self._watch(receive)
        self._departure = departure
        self._gone = False
        self._over = False

    def __enter__(self) -> Self:
        """Start watching."""
        self._handling = asyncio.current_task()
        if self._departure is not None:
            self._departure.bind(self._give_up)
        self._step()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching; a cancellation that was ours becomes `ClientGoneError`, any other stays what it is."""
        self._over = True
        self._watching.close()
        if self._departure is not None:
            self._departure.over()
        if not self._gone or self._handling is None or self._handling.uncancel() > 0:
            return
        if kind is None or issubclass(kind, asyncio.CancelledError):  # a bug is one, also when nobody waits any more
            raise ClientGoneError from None

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        if self._departure is not None and self._departure.left():
            return
        self._give_up()

    def _give_up(self) -> None:
        self._gone = True
        if self._handling is not None:
            self._handling.cancel()

    def _step(self, _woken: object = None) -> None:
        """
        Run the watching coroutine up to its next wait.

        It is driven by hand because a task for it would cost every call more than the rest of the edge: a future that
        a coroutine yields announces itself as awaited, and has to be told that its waiter is a callback.
        """
        if self._over:  # the future was done, and this call under way, when the watch ended
            return
        try:
            waited_for = self._watching.send(None)
        except StopIteration:
            return
        waited_for._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and their drivers
        waited_for.add_done_callback(self._step)
