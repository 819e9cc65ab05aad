"""
A TCP proxy that does to answers what networks do: delays them, cuts them, spoils them.

It stands between the gateway and anything it talks to, a provider or a Redis, and passes on all bytes up to the place
where its `Fault` strikes. Everything that passes is kept, in the order in which it passed.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from types import TracebackType
from typing import Final, Self

_RESET_ON_CLOSE: Final = struct.pack("ii", 1, 0)
LIMIT_S: Final = 20.0  # nothing here takes long; whatever reaches this limit hangs
_READ_BYTES: Final = 65_536


class Ending(Enum):
    """What becomes of an answer at the place where a fault strikes."""

    RESET = "reset"  # the connection breaks
    HALF_CLOSE = "half-close"  # the answer ends there, while requests are still taken
    STALL = "stall"  # nothing more comes, and the connection stands
    GARBAGE = "garbage"  # from there on other bytes come, and then the end


@dataclass(frozen=True)
class Fault:
    """
    What happens to the answers of each connection that is opened from now on.

    Everything is late by `latency_s`. After `after` bytes of the answer comes the `ending`; None never ends it.
    """

    latency_s: float = 0.0
    after: int = 0
    ending: Ending | None = None
    garbage: bytes = b"\x00\xffHTTP/9.9 \r\n\r\n\x15\x03\x01{]" * 8


@dataclass(frozen=True)
class Piece:
    """Bytes that passed in one go: a request's, or an answer's."""

    answer: bool
    data: bytes


NO_FAULT: Final = Fault()


class FaultProxy:
    """Listens on a port of its own in front of `port`, while used as a context manager; with `tls`, as its TLS end."""

    def __init__(self, port: int, fault: Fault = NO_FAULT, tls: ssl.SSLContext | None = None) -> None:
        self.fault = fault
        self.passed: list[Piece] = []
        self._behind = port
        self._tls = tls
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()

    async def wait_until(self, passed: Callable[[], object]) -> None:
        """Return once something is so about what passed; fail if it never is."""
        async with asyncio.timeout(LIMIT_S):
            while not passed():
                self._news.clear()
                await self._news.wait()

    def _note(self, data: bytes, *, answer: bool) -> None:
        self.passed.append(Piece(answer, data))
        self._news.set()

    async def __aenter__(self) -> Self:
        """Start listening."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop every connection and stop."""
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def drop(self) -> None:
        """Break every connection that is open, and return when that is done."""
        for writer in list(self._writers):
            writer.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._serve(reader, writer, self.fault))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, asked: asyncio.StreamReader, client: asyncio.StreamWriter, fault: Fault) -> None:
        answered, behind = await asyncio.open_connection("127.0.0.1", self._behind)
        self._writers |= {client, behind}
        asking = asyncio.ensure_future(self._pass_requests(asked, behind))
        try:
            await self._pass_answers(answered, client, fault)
            if fault.ending in {Ending.HALF_CLOSE, Ending.STALL}:
                await asking  # until the gateway has had enough
        except OSError:
            pass  # either side has left
        finally:
            asking.cancel()
            for writer in (client, behind):
                self._writers.discard(writer)
                writer.transport.abort() if writer is behind else writer.close()

    async def _pass_requests(self, asked: asyncio.StreamReader, behind: asyncio.StreamWriter) -> None:
        while data := await asked.read(_READ_BYTES):
            self._note(data, answer=False)
            behind.write(data)
        behind.transport.abort()

    async def _pass_answers(self, answered: asyncio.StreamReader, client: asyncio.StreamWriter, fault: Fault) -> None:
        left = fault.after if fault.ending is not None else None
        while left != 0 and (data := await answered.read(_READ_BYTES if left is None else left)):
            await asyncio.sleep(fault.latency_s)
            self._note(data, answer=True)
            client.write(data)
            await client.drain()
            left = None if left is None else left - len(data)
        if fault.ending is None:
            return
        if not left and fault.after == 0:
            await answered.read(1)  # strike when there is something to spoil: a request has come
        match fault.ending:
            case Ending.RESET:
                line: socket.socket = client.get_extra_info("socket")
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                client.transport.abort()
            case Ending.HALF_CLOSE:
                client.write_eof()
            case Ending.GARBAGE:
                client.write(fault.garbage)
                await client.drain()
            case Ending.STALL:
                pass
