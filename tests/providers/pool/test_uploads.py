"""What only the pool does with bodies that are read while they are sent."""

from __future__ import annotations

import asyncio

import pytest

from app.core.ports import HttpRequest
from app.providers.pool import PoolClient
from tests.providers.contract.adapters import CONNECT_S, body_of
from tests.providers.contract.test_uploads import Given


async def answering(early: bytes, rest: asyncio.Event | None = None) -> asyncio.Server:
    """Start a server that answers as soon as a head is there, and reads the body only when it is told to."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(early)
        await writer.drain()
        if rest is not None:
            await rest.wait()
        while await reader.read(65_536):
            continue
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def asked(server: asyncio.Server, upload: Given) -> HttpRequest:
    """Return a request with an upload."""
    port = server.sockets[0].getsockname()[1]
    return HttpRequest("POST", f"http://127.0.0.1:{port}/x", (), b"", CONNECT_S, upload)


async def test_an_early_refusal_is_seen_at_once(pool: PoolClient) -> None:
    """A provider that has read enough to say no is heard, although the body would go on for ever."""
    never = asyncio.Event()
    async with await answering(b"HTTP/1.1 413 No\r\ncontent-length: 2\r\n\r\nno") as server:
        reply = await pool.send(asked(server, Given(b"abc", never)))

        assert (reply.status, await body_of(reply)) == (413, b"no")


async def test_an_early_answer_waits_for_the_end_of_the_body(pool: PoolClient) -> None:
    """A provider that says yes too early gets the rest of the body all the same."""
    more = asyncio.Event()
    async with await answering(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n") as server:
        upload = Given(b"abc", more, b"def", length=6)
        sending = asyncio.create_task(pool.send(asked(server, upload)))
        await asyncio.sleep(0.05)
        early = sending.done()
        more.set()
        reply = await sending

        assert not early
        assert (reply.status, await body_of(reply)) == (200, b"ok")


async def test_a_peer_that_does_not_read_holds_the_body_back(pool: PoolClient) -> None:
    """Pieces are taken from the caller only as fast as the provider takes them."""
    taken: list[int] = []

    class Endless(Given):
        async def next(self) -> bytes | None:
            taken.append(65_536)
            return bytes(65_536)

    read = asyncio.Event()
    async with await answering(b"", read) as server:
        sending = asyncio.create_task(pool.send(asked(server, Endless())))
        for _ in range(3_000):  # far more steps than the buffers have room for
            await asyncio.sleep(0)

        assert 0 < sum(taken) < 64 * 1024 * 1024  # the buffers of two kernels, and ours of 64 KiB
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
