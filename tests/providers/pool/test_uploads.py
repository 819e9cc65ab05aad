"""What only the pool does with bodies that are read while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from app.core.errors import TIMEOUT_IDLE, GatewayError
from app.core.ports import HttpRequest
from app.providers.pool import PoolClient, PoolOptions
from tests.providers.contract.adapters import CONNECT_S, body_of
from tests.providers.contract.test_uploads import Given


@asynccontextmanager
async def answering(early: bytes, *, reads: bool = True) -> AsyncIterator[asyncio.Server]:
    """Run a server that answers as soon as a head is there, and reads the body, or never does."""
    over, served = asyncio.Event(), list[asyncio.Task[None]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)
        await writer.drain()
        if not reads:
            await over.wait()
        with suppress(ConnectionError):
            while await reader.read(65_536):
                continue
        writer.transport.abort()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.ensure_future(serve(reader, writer)))

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server
        over.set()
        await asyncio.gather(*served)


def asked(server: asyncio.Server, upload: Given) -> HttpRequest:
    """Return a request with an upload."""
    port = server.sockets[0].getsockname()[1]
    return HttpRequest("POST", f"http://127.0.0.1:{port}/x", (), b"", CONNECT_S, upload)


async def test_an_early_refusal_is_seen_at_once(pool: PoolClient) -> None:
    """A provider that has read enough to say no is heard, although the body would go on for ever."""
    never = asyncio.Event()
    async with answering(b"HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno") as server:
        reply = await pool.send(asked(server, Given(b"abc", never)))

        assert (reply.status, await body_of(reply)) == (413, b"no")
        await pool.aclose()


async def test_an_early_answer_waits_for_the_end_of_the_body(pool: PoolClient) -> None:
    """A provider that says yes too early gets the rest of the body all the same."""
    more = asyncio.Event()
    async with answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n") as server:
        upload = Given(b"abc", more, b"def", length=6)
        sending = asyncio.create_task(pool.send(asked(server, upload)))
        await asyncio.sleep(0.05)
        early = sending.done()
        more.set()
        reply = await sending

        assert not early
        assert (reply.status, await body_of(reply)) == (200, b"ok")
        await pool.aclose()


async def test_a_peer_that_does_not_read_holds_the_body_back(pool: PoolClient) -> None:
    """Pieces are taken from the caller only as fast as the provider takes them."""
    begun, taken = asyncio.Event(), list[int]()

    class Endless(Given):
        async def next(self) -> bytes | None:
            begun.set()
            taken.append(65_536)
            return bytes(65_536)

    async with answering(b"", reads=False) as server:
        sending = asyncio.create_task(pool.send(asked(server, Endless())))
        await begun.wait()  # however long a busy machine takes to connect
        for _ in range(3_000):  # far more steps than the buffers have room for
            await asyncio.sleep(0)

        assert sum(taken) < 64 * 1024 * 1024  # the buffers of two kernels, and ours of 64 KiB
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


async def test_a_peer_that_never_reads_is_given_up() -> None:
    """Nobody waits for ever; a client that left meanwhile could not even be noticed."""
    pool = PoolClient(PoolOptions(write_s=0.05))

    class Endless(Given):
        async def next(self) -> bytes | None:
            return bytes(65_536)

    async with answering(b"", reads=False) as server:
        with pytest.raises(GatewayError) as caught:
            await pool.send(asked(server, Endless()))
        await pool.aclose()

    assert caught.value.kind is TIMEOUT_IDLE
