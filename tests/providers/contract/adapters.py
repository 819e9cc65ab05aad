"""The adapters of the `UpstreamClient` port, and how the contract suite talks through one to a scripted server."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Protocol

from app.core.ports import HttpRequest, UpstreamClient, UpstreamReply
from app.providers.client import HttpxClient
from app.providers.pool import PoolClient, PoolOptions
from tests.support.upstream_server import UpstreamServer

CONNECT_S = 60.0  # far more than a connection on one machine takes, however busy that is


class Adapter(UpstreamClient, Protocol):
    """A client with its end of life, which is the composition root's business and not the port's."""

    async def aclose(self) -> None:
        """Close every connection."""
        ...


ADAPTERS: Mapping[str, Callable[[], Adapter]] = {"httpx": HttpxClient, "pool": lambda: PoolClient(PoolOptions())}


def request(
    server: UpstreamServer,
    path: str = "/v1/chat/completions",
    body: bytes = b"{}",
    headers: tuple[tuple[str, str], ...] = (),
    method: str = "POST",
) -> HttpRequest:
    """Return a request to `server`."""
    return HttpRequest(method, server.url + path, headers, body, CONNECT_S)


async def body_of(reply: UpstreamReply) -> bytes:
    """Read a body to its end and give the connection back."""
    try:
        return b"".join([data async for data in reply.chunks()])
    finally:
        await reply.aclose()


async def call(client: UpstreamClient, asked: HttpRequest) -> tuple[int, bytes]:
    """Make one whole exchange and return its status and body."""
    reply = await client.send(asked)
    return reply.status, await body_of(reply)


async def rounds(count: int) -> None:
    """Let everything that is ready run so many times."""
    for _ in range(count):
        await asyncio.sleep(0)


@contextmanager
def deaf_server() -> Iterator[str]:
    """Return the URL of a listener that accepts nobody: its queue is full, so a connection attempt hangs."""
    with ExitStack() as sockets:
        listener = sockets.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            waiting = sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def closed_port() -> Iterator[str]:
    """Return a URL at which nobody listens."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound but not listening: refused, and nobody else can take the port
        yield f"http://127.0.0.1:{reserved.getsockname()[1]}"
