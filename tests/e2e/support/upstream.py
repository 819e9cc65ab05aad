"""
A provider made of plain sockets and threads: it records the very bytes it is sent, and sends the very bytes it is told.

What happens to a request is decided by its model. A test either scripts that in advance (`on`), or takes the request
over and plays the provider itself, line by line (`hold`, `take`).
"""

from __future__ import annotations

import queue
import re
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import unquote

import msgspec

LIMIT_S = 60.0  # nothing here takes long; whatever reaches this limit hangs
_READ_BYTES = 65_536


_IN_FORM = re.compile(rb'name="model"\r\n\r\n([^\r]*)\r\n')
_IN_PATH = re.compile(r"/(?:models?|deployments)/([^/:?]+)")


class _Body(msgspec.Struct):
    model: str = ""


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """Return the address, with its query."""
        return self.line.split(" ")[1]

    @property
    def model(self) -> str:
        """Return the model that the body or a field of its form names, else the address; empty if there is none."""
        in_form, in_path = _IN_FORM.search(self.body), _IN_PATH.search(self.path)
        if in_form is not None:
            return in_form[1].decode()
        with suppress(msgspec.DecodeError):
            named = msgspec.json.decode(self.body, type=_Body).model
            if named:
                return named
        return unquote(in_path[1]) if in_path is not None else ""


class Exchange:
    """A request waiting for its answer."""

    def __init__(self, request: Received, connection: socket.socket) -> None:
        self.request = request
        self._connection = connection
        self._over = threading.Event()

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._connection.sendall(data)

    def answer(
        self, body: bytes, status: int = 200, headers: tuple[str, ...] = (), media_type: str = "application/json"
    ) -> None:
        """Send a whole answer and be ready for the next request."""
        lines = [
            f"HTTP/1.1 {status} Status",
            f"content-type: {media_type}",
            f"content-length: {len(body)}",
            *headers,
        ]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n" + body)
        self.finish()

    def begin(self, headers: tuple[str, ...] = (), media_type: str = "text/event-stream") -> None:
        """Send the head of a stream."""
        lines = ["HTTP/1.1 200 OK", f"content-type: {media_type}", "transfer-encoding: chunked", *headers]
        self.send("\r\n".join(lines).encode() + b"\r\n\r\n")

    def part(self, data: bytes) -> None:
        """Send a piece of a stream."""
        self.send(b"%x\r\n%b\r\n" % (len(data), data))

    def end(self) -> None:
        """End a stream properly and be ready for the next request."""
        self.send(b"0\r\n\r\n")
        self.finish()

    def finish(self) -> None:
        """Leave the connection to the next request."""
        self._over.set()

    def pause(self, seconds: float) -> None:
        """Say nothing for a while."""
        self._over.wait(seconds)

    def break_off(self) -> None:
        """Drop the connection."""
        with suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()
        self._over.set()

    def peer_left(self, within_s: float = LIMIT_S) -> bool:
        """Wait until the gateway has closed its end, and say whether it did."""
        self._connection.settimeout(within_s)
        try:
            left = self._connection.recv(1) == b""
        except ConnectionResetError:
            left = True
        except TimeoutError:
            left = False
        self.break_off()
        return left

    def flood(self, frame: bytes, most: int, still_s: float) -> int:
        """Send `frame` until nobody takes any for `still_s`, or is there any more; return how many were taken whole."""
        self._connection.settimeout(still_s)
        taken = 0
        with suppress(OSError):
            while taken < most:
                self.part(frame)
                taken += 1
        return taken

    def wait_until_over(self) -> None:
        """Block until the answer is complete or broken off."""
        self._over.wait(LIMIT_S)


Script: TypeAlias = Callable[[Exchange], None]


class Upstream:
    """
    The provider: where it listens, what it was asked, and what it does.

    Args:
        listening: Its socket; None for one of TCP.

        context: Makes TLS of every connection.
    """

    def __init__(self, listening: socket.socket | None = None, context: ssl.SSLContext | None = None) -> None:
        self._listening = listening or socket.create_server(("127.0.0.1", 0))
        self._context = context
        self._scripts: dict[str, Script] = {}
        self._received: dict[str, list[Received]] = {}
        self._held: dict[str, queue.Queue[Exchange]] = {}
        self._open: set[socket.socket] = set()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    @property
    def url(self) -> str:
        """Return the base URL of its API."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def port(self) -> int:
        """Return its port, if it is one of TCP."""
        port: int = self._listening.getsockname()[1]
        return port

    def on(self, model: str, script: Script) -> None:
        """Play `script` for every request for `model` from now on, and forget earlier ones."""
        self._received[model] = []
        self._scripts[model] = script

    def hold(self, model: str) -> None:
        """Keep the requests for `model` for the test to answer."""
        held = self._held[model] = queue.Queue()
        self.on(model, held.put)

    def take(self, model: str) -> Exchange:
        """Return the next held request for `model`, as soon as it is there."""
        try:
            return self._held[model].get(timeout=LIMIT_S)
        except queue.Empty:
            raise AssertionError(f"nobody asked for {model!r}") from None

    def received(self, model: str) -> list[Received]:
        """Return the requests for `model` since it was scripted."""
        return self._received[model]

    def close(self) -> None:
        """Stop listening and drop every connection."""
        self._listening.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts, which closing would not
        self._accepting.join(LIMIT_S)
        self._listening.close()
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._listening.accept()
                connection.settimeout(LIMIT_S)
                if connection.family != socket.AF_UNIX:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, accepted: socket.socket) -> None:
        connection = accepted
        with suppress(OSError, EOFError):  # whoever is gone needs no answer
            if self._context is not None:
                connection = self._context.wrap_socket(accepted, server_side=True)
                self._open.add(connection)
            while True:
                connection.settimeout(None)
                exchange = Exchange(_read_request(connection), connection)
                connection.settimeout(LIMIT_S)
                model = exchange.request.model
                self._received[model].append(exchange.request)
                self._scripts[model](exchange)
                exchange.wait_until_over()
        connection.close()
        accepted.close()
        self._open -= {accepted, connection}


@contextmanager
def listening(place: socket.socket | None = None, context: ssl.SSLContext | None = None) -> Iterator[Upstream]:
    """Run a provider, at `place` if it is given, and behind TLS if there is a `context`."""
    upstream = Upstream(place, context)
    try:
        yield upstream
    finally:
        upstream.close()


def _read_request(connection: socket.socket) -> Received:
    read = b""
    while b"\r\n\r\n" not in read:
        read += _some(connection)
    head, _, body = read.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    if headers.get("transfer-encoding") == "chunked":
        return Received(line, headers, _chunks(connection, body))
    parts, missing = [body], int(headers.get("content-length", "0")) - len(body)
    while missing > 0:
        parts.append(_some(connection))
        missing -= len(parts[-1])
    return Received(line, headers, b"".join(parts))


def _chunks(connection: socket.socket, begun: bytes) -> bytes:
    read = bytearray(begun)
    while not read.endswith(b"\r\n0\r\n\r\n"):
        read += _some(connection)
    body, place = bytearray(), 0
    while (size := int(read[place : (end := read.index(b"\r\n", place))], 16)) > 0:
        body += read[end + 2 : end + 2 + size]
        place = end + 2 + size + 2
    return bytes(body)


def _some(connection: socket.socket) -> bytes:
    data = connection.recv(_READ_BYTES)
    if not data:
        raise EOFError
    return data
