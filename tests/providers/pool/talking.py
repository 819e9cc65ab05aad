"""How the tests of the pool talk to their servers."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeAlias

from app.core.ports import HttpRequest
from app.providers.pool import PoolClient, PoolOptions
from tests.support.upstream_server import whole

Talk: TypeAlias = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, None]]

CONNECT_S = 60.0  # far more than a connection on one machine takes, however busy that is


def post(url: str, body: bytes = b"{}", connect_s: float = CONNECT_S) -> HttpRequest:
    """Return a request with a body."""
    return HttpRequest("POST", url + "/v1/x", (), body, connect_s)


async def ask(client: PoolClient, url: str, body: bytes = b"{}", connect_s: float = CONNECT_S) -> bytes:
    """Make one whole exchange and return the body of the answer."""
    reply = await client.send(post(url, body, connect_s))
    try:
        return b"".join([data async for data in reply.chunks()])
    finally:
        await reply.aclose()


@asynccontextmanager
async def pool_with(options: PoolOptions) -> AsyncIterator[PoolClient]:
    """Lend a pool and close it."""
    client = PoolClient(options)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def serving(
    talk: Talk, host: str = "127.0.0.1", context: ssl.SSLContext | None = None, path: Path | None = None
) -> AsyncIterator[int]:
    """Let `talk` serve every connection to a host, with or without TLS, or to a unix socket; lend the port."""
    talks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking = asyncio.create_task(talk(reader, writer))
        talks.add(talking)
        await asyncio.wait([talking])
        writer.transport.abort()
        await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])

    served: list[asyncio.Task[None]] = []

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(serve(reader, writer)))

    if path is not None:
        server = await asyncio.start_unix_server(accept, path)
    else:
        server = await asyncio.start_server(accept, host, 0, ssl=context)
    try:
        yield 0 if path is not None else server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for talking in talks:
            talking.cancel()
        await asyncio.gather(*talks, *served, return_exceptions=True)


async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer `hello` to every request whose body is `{}`."""
    while await reader.readuntil(b"{}"):
        writer.write(whole(b"hello"))
