"""
The bytes of a client's connection through the guard: refused in JSON, or a request whose head is sane.

However the bytes are cut, the same becomes of them.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any

from uvicorn.config import Config
from uvicorn.server import ServerState

from app.serving.guarded_protocol import Guard, GuardOptions
from tests.fuzz.targets.pieces import chosen, cut
from tests.fuzz.targets.target import Target

OPTIONS = GuardOptions(head_max_bytes=1024, headers_max=16)
TURNS = 6  # of the loop: enough for an answer


class _Socket:
    """As much of a socket as is asked for."""

    def setsockopt(self, *_option: object) -> None:
        """Do nothing."""

    def getpeername(self) -> tuple[str, int]:
        """Return the client's address."""
        return "127.0.0.1", 1

    def getsockname(self) -> tuple[str, int]:
        """Return the server's address."""
        return "127.0.0.1", 2


class _Transport(asyncio.Transport):
    """A connection whose other side takes everything."""

    def __init__(self) -> None:
        super().__init__({"socket": _Socket()})
        self.sent = bytearray()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Take bytes, as long as the connection is open."""
        if not self._closing:
            self.sent += data

    def is_closing(self) -> bool:
        """Say whether the connection is closed."""
        return self._closing

    def close(self) -> None:
        """Close."""
        self._closing = True

    def abort(self) -> None:
        """Close at once."""
        self._closing = True

    def pause_reading(self) -> None:
        """Do nothing."""

    def resume_reading(self) -> None:
        """Do nothing."""


class _App:
    """Answers with nothing, and keeps what it was asked."""

    def __init__(self) -> None:
        self.scopes: list[Any] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        """Answer."""
        self.scopes.append(scope)
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})


def one(data: bytes) -> None:
    """Send one connection's bytes, in pieces and whole."""
    (size,), raw = chosen(data, 1)
    loop = asyncio.new_event_loop()
    try:
        in_pieces = loop.run_until_complete(_statuses(cut(raw, size)))
        at_once = loop.run_until_complete(_statuses([raw]))
    finally:
        loop.close()
    # Of requests in one go, an earlier answer may be lost to the refusal of a later one; the refusal never is. Of
    # several reasons to refuse a head, the one that is found first is told.
    assert [status[:1] for status in in_pieces[-1:]] == [status[:1] for status in at_once[-1:]]


async def _statuses(pieces: Any) -> list[bytes]:  # noqa: ANN401 - pieces of bytes
    app, transport = _App(), _Transport()
    config = Config(app, http="httptools", ws="none", log_config=None, access_log=False, lifespan="off")
    config.load()
    protocol = Guard(OPTIONS)(config, ServerState(), {})
    protocol.connection_made(transport)
    for piece in pieces:
        if transport.is_closing():
            break
        protocol.data_received(piece)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    for _ in range(TURNS * TURNS):
        await asyncio.sleep(0)
    statuses = re.findall(rb"HTTP/1\.1 (\d{3}) ", bytes(transport.sent))
    protocol.connection_lost(None)
    for _ in range(TURNS):
        await asyncio.sleep(0)
    for scope in app.scopes:
        _judge(scope)
    return statuses


def _judge(scope: Any) -> None:  # noqa: ANN401 - ASGI
    """See that nothing insane has come through."""
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    assert len(hosts) == 1 or (not hosts and scope["http_version"] == "1.0")
    assert len(scope["headers"]) <= OPTIONS.headers_max
    size = sum(len(name) + len(value) for name, value in scope["headers"]) + len(scope["raw_path"])
    assert size <= OPTIONS.head_max_bytes
    assert not any(byte in value for _, value in scope["headers"] for byte in b"\r\n\0")


_GET = b"GET /livez HTTP/1.1\r\nhost: a\r\n"
_POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n"

TARGET = Target(
    "guard",
    one,
    [
        b"\5" + _GET + b"\r\n",
        b"\5" + _POST + b"content-length: 2\r\n\r\n{}",
        b"\5" + _POST + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"\5" + _POST + b"expect: 100-continue\r\ncontent-length: 2\r\n\r\n{}",
        b"\5" + _GET + b"connection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"\5" + _GET + b"connection: close\r\n\r\n" + _GET + b"\r\n",
        b"\5CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n",
        b"\5GET http://a@b:1/%zz?x#y HTTP/1.0\r\n\r\n",
        b"\5PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\5" + _GET + b"authorization: a\r\nauthorization: b\r\n\r\n",
        b"\5\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
    (
        (b"\x20" + _GET, b"a: b\r\n", b"\r\n"),
        (b"\x20" + _GET, b"a", b""),
        (b"\x20", _GET + b"\r\n", b""),
        (b"\x20" + _POST + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n", b"0\r\n\r\n"),
        (b"\x20", b"\r\n", b""),
    ),
)
