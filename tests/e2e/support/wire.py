"""A client made of one plain socket, for what no well-behaved client does or shows."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

LIMIT_S = 60.0  # nothing here takes long; whatever reaches this limit hangs
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Head:
    """The head of an answer."""

    status: int
    headers: dict[str, str]


class Wire:
    """One connection to the gateway."""

    def __init__(self, port: int, receive_buffer_bytes: int | None = None) -> None:
        self._socket = socket.socket()
        self._socket.settimeout(LIMIT_S)
        if receive_buffer_bytes is not None:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        self._socket.connect(("127.0.0.1", port))
        self._read = b""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._socket.sendall(data)

    def post(self, path: str, body: object, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        """Send a request with a JSON body."""
        raw = msgspec.json.encode(body)
        fields = {"content-type": "application/json", "content-length": str(len(raw)), **headers}
        self.send(request_head("POST", path, fields) + raw)

    def ask(self, model: str, headers: Mapping[str, str] = _NO_HEADERS, *, stream: bool = True) -> None:
        """Send a chat request."""
        body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": stream}
        self.post("/v1/chat/completions", body, headers)

    def head(self) -> Head:
        """Read the head of the answer."""
        lines = self.until(b"\r\n\r\n").decode().split("\r\n")
        fields = (line.partition(":") for line in lines[1:] if line)
        return Head(int(lines[0].split()[1]), {name.lower(): value.strip() for name, _, value in fields})

    def until(self, mark: bytes) -> bytes:
        """Read up to and including `mark`."""
        while mark not in self._read:
            self._read_on(mark)
        found, _, self._read = self._read.partition(mark)
        return found + mark

    def json(self, head: Head) -> Any:  # noqa: ANN401 - JSON
        """Read the JSON body that belongs to `head`."""
        length = int(head.headers["content-length"])
        while len(self._read) < length:
            self._read_on(b"the rest of the body")
        body, self._read = self._read[:length], self._read[length:]
        return msgspec.json.decode(body)

    def rest_or_head(self) -> Head | None:
        """Read the head of the next answer; None if the gateway has closed the connection instead."""
        while b"\r\n\r\n" not in self._read:
            try:
                data = self._socket.recv(65_536)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self._read += data
        return self.head()

    def rest(self) -> bytes:
        """Read until the gateway closes the connection."""
        parts, self._read = [self._read], b""
        with suppress(ConnectionResetError):
            while data := self._socket.recv(65_536):
                parts.append(data)
        return b"".join(parts)

    def _read_on(self, wanted: bytes) -> None:
        with suppress(TimeoutError):
            if data := self._socket.recv(65_536):
                self._read += data
                return
        raise AssertionError(f"{wanted!r} never came; there was {self._read[-1000:]!r}")

    def close(self) -> None:
        """Leave."""
        self._socket.close()


@contextmanager
def connected(port: int, receive_buffer_bytes: int | None = None) -> Iterator[Wire]:
    """Connect to the gateway and leave at the end."""
    wire = Wire(port, receive_buffer_bytes)
    try:
        yield wire
    finally:
        wire.close()


def request_head(method: str, path: str, headers: Mapping[str, str] = _NO_HEADERS) -> bytes:
    """Return the head of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: gateway", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def dechunked(raw: bytes) -> tuple[bytes, bool]:
    """Return the content of a chunked body, and whether it was ended properly."""
    parts: list[bytes] = []
    at = 0
    while at < len(raw):
        end = raw.index(b"\r\n", at)
        length = int(raw[at:end], 16)
        if length == 0:
            return b"".join(parts), True
        parts.append(raw[end + 2 : end + 2 + length])
        at = end + 2 + length + 2
    return b"".join(parts), False
