"""
The ASGI side of a hot route: read the body up to a size limit, write the answer, detect a disconnect.

Pure ASGI: no middleware, no request object, and one `send` per chunk.
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
    """The client closed its connection, so no answer can be sent."""


def declared_bytes(headers: Mapping[bytes, bytes]) -> int | None:
    """Return the body's length in bytes as `content-length` declares it, or None."""
    length = headers.get(b"content-length", b"")
    return int(length) if length.isdigit() else None


async def read_body(receive: Receive, headers: Mapping[bytes, bytes], max_bytes: int) -> bytes:
    """
    Return the whole request body.

    Raises:
        GatewayError: BODY_TOO_LARGE; if the declared length exceeds `max_bytes`, before anything is read.
        ClientGoneError: The client disconnected before the end.
    """
    if (declared_bytes(headers) or 0) > max_bytes:
        raise too_large(max_bytes)
    message = await receive()
    body: bytes = message.get("body", b"")
    if body and len(body) <= max_bytes and not message.get("more_body", False):
        return body  # the common case
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
    """Return the error for a body of more than `max_bytes`."""
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
        """Begin a response of unknown length."""
        self.begun = self.streaming = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def part(self, data: bytes) -> None:
        """Send a piece of the body; blocks while the client does not read."""
        if data:  # an event may have no equivalent in the client's dialect
            await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def end(self) -> None:
        """Complete the body."""
        await self._send({"type": "http.response.body", "body": b""})

    async def abort(self) -> None:
        """Leave the response incomplete: the server then closes the connection without the final chunk."""


class DefaultHeaders:
    """A `Send` that adds `headers` to an answer, except those that it sets itself."""

    def __init__(self, send: Send, headers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._send = send
        self._headers = headers
        self.begun = False

    async def __call__(self, message: Message) -> None:
        """Forward a message."""
        if message["type"] == "http.response.start":
            self.begun = True
            own = [*message.get("headers", ())]
            names = {name for name, _ in own}
            message["headers"] = [*own, *(header for header in self._headers if header[0] not in names)]
        await self._send(message)


class ClientWatch:
    """
    Context manager that cancels the current task when the client disconnects, and raises `ClientGoneError`.

    Enter it once the request body has been read: afterwards the only possible message is the disconnect.

    Args:
        receive: ASGI's.

        departure: Decides whether the task continues without its client. The server discards what is sent to a client
            that has disconnected, and waits for the task when it shuts down.
    """

    __slots__ = ("_departure", "_gone", "_over", "_task", "_watching")

    def __init__(self, receive: Receive, departure: Departure | None = None) -> None:
        self._watching = self._watch(receive)
        self._departure = departure
        self._gone = False
        self._over = False

    def __enter__(self) -> Self:
        """Start watching."""
        self._task = asyncio.current_task()
        if self._departure is not None:
            self._departure.bind(self._give_up)
        self._step()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop watching; turn our own cancellation into `ClientGoneError`, and let any other through."""
        self._over = True
        self._watching.close()
        if self._departure is not None:
            self._departure.over()
        if not self._gone or self._task is None or self._task.uncancel() > 0:
            return
        if kind is None or issubclass(kind, asyncio.CancelledError):  # any other exception is a bug, and is not hidden
            raise ClientGoneError from None

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            continue
        if self._departure is not None and self._departure.left():
            return
        self._give_up()

    def _give_up(self) -> None:
        self._gone = True
        if self._task is not None:
            self._task.cancel()

    def _step(self, _woken: object = None) -> None:
        """
        Run the watching coroutine up to its next wait.

        It is driven by hand because a task would cost every call more than the rest of the edge. A future that a
        coroutine yields is marked as awaited by a task; the mark is cleared because its waiter is a callback.
        """
        if self._over:  # the future was done and this callback already scheduled when the watch ended
            return
        try:
            waited_for = self._watching.send(None)
        except StopIteration:
            return
        waited_for._asyncio_future_blocking = False  # noqa: SLF001 - the protocol between futures and their drivers
        waited_for.add_done_callback(self._step)
