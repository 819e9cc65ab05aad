"""
A provider made of raw bytes: a TCP server whose script decides byte by byte what is answered, and what breaks.

A script maps each received request to the steps of its answer:

    bytes           are written and handed to the kernel before the next step
    float           a pause of so many seconds; 0.0 lets everybody else run once
    asyncio.Event   nothing happens until the test sets it
    Act             the connection is half-closed, closed, reset, or left hanging for good

The server keeps every request as it came over the wire, and every connection with the way it ended. What a script
raises is raised again by `async with`.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Self, TypeAlias

LIMIT_S = 60.0  # nothing here takes long; whatever reaches this limit hangs
SSE_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d+)", re.IGNORECASE | re.MULTILINE)
_CHUNKED = re.compile(rb"^transfer-encoding:[ \t]*chunked", re.IGNORECASE | re.MULTILINE)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Act(Enum):
    """What can happen to a connection other than bytes."""

    HALF_CLOSE = "half-close"
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True)
class Received:
    """
    One request as it came over the wire.

    `headers` keep their order and their spelling; `number` counts the server's requests from 0, `connection` says on
    which of its connections this one came.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes
    number: int
    connection: int

    def header(self, name: str) -> str | None:
        """Return the value of the only header of this lower-case name; None if there is none."""
        found = [value for given, value in self.headers if given.lower() == name]
        assert len(found) < 2, f"{name} was sent {len(found)} times"
        return found[0] if found else None


Step: TypeAlias = bytes | float | asyncio.Event | Act
Script: TypeAlias = Callable[[Received], Iterable[Step]]


def always(*steps: Step) -> Script:
    """Return the script that answers every request in the same way."""
    return lambda _request: steps


def in_turn(*answers: Iterable[Step]) -> Script:
    """Return the script that gives the n-th request the n-th answer."""
    return lambda request: answers[request.number]


def whole(body: bytes, status: int = 200, *headers: str, media: str = "application/json") -> bytes:
    """Return a complete response with a content length."""
    lines = (f"HTTP/1.1 {status} Scripted", f"content-type: {media}", f"content-length: {len(body)}", *headers)
    return "\r\n".join(lines).encode("latin-1") + _HEAD_END + body


def chunk(data: bytes) -> bytes:
    """Return one piece of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def streamed(*frames: bytes) -> tuple[bytes, ...]:
    """Return the steps of a complete event stream, each of `frames` in a chunk of its own."""
    return (SSE_HEAD, *map(chunk, frames), LAST_CHUNK)


@dataclass(eq=False)
class Connection:
    """
    One accepted connection.

    `closed` is set at its end; `closed_at` is then the loop's time, and `by_peer` tells who ended it.
    """

    number: int
    received: bytearray = field(default_factory=bytearray)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    closed_at: float | None = None
    by_peer: bool = True

    async def wait_closed(self) -> None:
        """Return once it has ended; fail if it does not."""
        async with asyncio.timeout(LIMIT_S):
            await self.closed.wait()


class UpstreamServer:
    """Listens on 127.0.0.1 on a port of its own choice while used as a context manager."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Received] = []
        self.connections: list[Connection] = []
        self._changed = asyncio.Event()
        self._lines: list[_Line] = []

    @property
    def url(self) -> str:
        """Return `http://127.0.0.1:PORT`."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def open(self) -> list[Connection]:
        """Return the connections that have not ended."""
        return [connection for connection in self.connections if not connection.closed.is_set()]

    async def wait_for_requests(self, count: int) -> None:
        """Return once so many requests have come; fail if they do not."""
        async with asyncio.timeout(LIMIT_S):
            while len(self.requests) < count:
                self._changed.clear()
                await self._changed.wait()

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)
        self._port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop every connection and stop; raise what a script raised."""
        self._server.close()
        for line in self._lines:
            line.drop()
        ends = await asyncio.gather(*(line.task for line in self._lines), return_exceptions=True)
        for connection in self.connections:
            await connection.wait_closed()
        await self._server.wait_closed()
        for end in ends:
            if isinstance(end, Exception):
                raise end

    def _accept(self) -> _Line:
        connection = Connection(len(self.connections))
        self.connections.append(connection)
        self._lines.append(_Line(connection, self._answer))
        return self._lines[-1]

    def _answer(self, head: bytes, body: bytes, connection: Connection) -> Iterable[Step]:
        request_line, *lines = head.decode("latin-1").split("\r\n")
        method, target, _version = request_line.split(" ")
        headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
        request = Received(method, target, headers, body, len(self.requests), connection.number)
        self.requests.append(request)
        self._changed.set()
        return self.script(request)


class _Line(asyncio.Protocol):
    """The server's end of one connection: reads requests and plays the script for each of them, in order."""

    transport: asyncio.Transport
    task: asyncio.Task[None]

    def __init__(self, connection: Connection, answer: Callable[[bytes, bytes, Connection], Iterable[Step]]) -> None:
        self._connection = connection
        self._answer = answer
        self._unread = b""
        self._news = asyncio.Event()
        self._flushed = asyncio.Event()
        self._flushed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.set_write_buffer_limits(high=0)  # `_flushed` then means: all is with the kernel
        self.transport = transport
        self.task = asyncio.get_running_loop().create_task(self._serve())

    def data_received(self, data: bytes) -> None:
        self._connection.received += data
        self._unread += data
        self._news.set()

    def pause_writing(self) -> None:
        self._flushed.clear()

    def resume_writing(self) -> None:
        self._flushed.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio hands it over
        self._connection.closed_at = asyncio.get_running_loop().time()
        self._connection.closed.set()
        self.task.cancel()

    def drop(self) -> None:
        if not self._connection.closed.is_set():
            self._connection.by_peer = False
            self.transport.abort()

    async def _serve(self) -> None:
        try:
            while not self.transport.is_closing():
                for step in await self._steps():
                    await self._take(step)
        except Exception:
            self.drop()  # nobody shall wait for the rest of the answer
            raise

    async def _steps(self) -> Iterable[Step]:
        """Receive one request and return what to do about it."""
        while _HEAD_END not in self._unread:
            await self._more()
        head, _, self._unread = self._unread.partition(_HEAD_END)
        if _CHUNKED.search(head):
            return self._answer(head, await self._chunks(), self._connection)
        length = _LENGTH.search(head)
        size = int(length[1]) if length else 0
        while len(self._unread) < size:
            await self._more()
        body, self._unread = self._unread[:size], self._unread[size:]
        return self._answer(head, body, self._connection)

    async def _chunks(self) -> bytes:
        body = b""
        while True:
            while b"\r\n" not in self._unread:
                await self._more()
            line, _, self._unread = self._unread.partition(b"\r\n")
            size = int(line, 16)
            while len(self._unread) < size + 2:
                await self._more()
            piece, self._unread = self._unread[:size], self._unread[size + 2 :]
            if not size:
                return body
            body += piece

    async def _more(self) -> None:
        self._news.clear()
        await self._news.wait()

    async def _take(self, step: Step) -> None:
        match step:
            case bytes():
                self.transport.write(step)
                await self._flushed.wait()
            case asyncio.Event():
                await step.wait()
            case Act.HALF_CLOSE:
                self.transport.write_eof()
            case Act.HANG:
                await self._connection.closed.wait()
            case Act.CLOSE:
                self._connection.by_peer = False
                self.transport.close()
            case Act.RESET:
                self._connection.by_peer = False
                self._reset()
            case _:
                await asyncio.sleep(step)

    def _reset(self) -> None:
        with contextlib.suppress(OSError):  # the peer may have been faster
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        self.transport.abort()
