"""Flow control both ways: memory stays bounded, and an answer is heard while the question is still being put."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.pool import PoolClient, PoolOptions
from tests.providers.pool.talking import ask, pool_with, post, serving
from tests.support.upstream_server import SSE_HEAD, Act, UpstreamServer, always, chunk, in_turn, whole

MEGABYTE = 1024 * 1024


async def settle() -> None:
    """Give the sockets the time to take all they will take."""
    for _ in range(200):
        await asyncio.sleep(0.001)


async def test_a_slow_reader_holds_little() -> None:
    """While nobody reads, the provider can send what the kernel and one bounded buffer hold, and no more."""
    parts = [chunk(b"x" * MEGABYTE)] * 64
    async with (
        pool_with(PoolOptions(buffer_max_bytes=1024)) as pool,
        UpstreamServer(always(SSE_HEAD, *parts, b"0\r\n\r\n")) as server,
    ):
        reply = await pool.send(post(server.url))
        await settle()
        held_bytes = reply.held_bytes
        body = b"".join([data async for data in reply.chunks()])

        assert held_bytes <= 1024 + 256 * 1024
        assert len(body) == 64 * MEGABYTE


async def test_a_reader_that_pauses_gets_everything(pool: PoolClient) -> None:
    """Reading stops and goes on as often as the buffer fills, and nothing is lost or reordered."""
    body = b"".join(b"%08d" % number for number in range(MEGABYTE))
    async with UpstreamServer(always(whole(body))) as server:
        reply = await pool.send(post(server.url))
        parts = []
        async for data in reply.chunks():
            parts.append(data)
            await asyncio.sleep(0)

        assert b"".join(parts) == body
        assert len(parts) > 8


async def test_a_complete_answer_sets_the_connection_free(pool: PoolClient) -> None:
    """A reply that has arrived needs no connection any more, even if its caller takes the time to read it."""
    async with UpstreamServer(lambda asked: [whole(asked.body)]) as server:
        unread = await pool.send(post(server.url, b"first"))
        second = await ask(pool, server.url, b"second")
        first = [data async for data in unread.chunks()]

        assert (first, second) == ([b"first"], b"second")
        assert len(server.connections) == 1


async def test_a_large_request_waits_for_a_slow_provider(pool: PoolClient) -> None:
    """A body far larger than the kernel's buffers arrives whole at a provider that takes its time."""
    body = b"0123456789abcdef" * (MEGABYTE // 2)
    async with UpstreamServer(lambda asked: [0.01, whole(b"%d" % len(asked.body))]) as server:
        answer = await ask(pool, server.url, body)

        assert answer == b"%d" % len(body)
        assert server.requests[0].body == body


async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuse a request after its head, as a server does that knows the length is too much."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(whole(b"too much", 413))
    await reader.read()


async def test_an_early_refusal_is_heard(pool: PoolClient) -> None:
    """An answer that comes while the body is still on its way is read, and its connection not used again."""
    async with serving(refuse) as port:
        url = f"http://127.0.0.1:{port}"
        reply = await pool.send(post(url, b"x" * (32 * MEGABYTE)))
        body = b"".join([data async for data in reply.chunks()])
        again = await pool.send(post(url))

    assert (reply.status, body, again.status) == (413, b"too much", 413)


async def test_a_slow_drip_is_patience_not_failure(pool: PoolClient) -> None:
    """How long an answer may take is for its reader to say: the pool only hands on what comes."""
    answer = SSE_HEAD + chunk(b"abc") + chunk(b"def") + b"0\r\n\r\n"
    drops = [step for byte in answer for step in (bytes([byte]), 0.001)]
    async with UpstreamServer(always(*drops)) as server:
        reply = await pool.send(post(server.url))
        parts = [data async for data in reply.chunks()]

        assert b"".join(parts) == b"abcdef"


async def test_what_one_read_brings_is_one_chunk(pool: PoolClient) -> None:
    """Pieces of a body that arrive together are handed out together."""
    wire = SSE_HEAD + chunk(b"abc") + chunk(b"def") + chunk(b"ghi") + b"0\r\n\r\n"
    async with UpstreamServer(always(wire)) as server:
        reply = await pool.send(post(server.url))

        assert [data async for data in reply.chunks()] == [b"abcdefghi"]


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 2", SSE_HEAD, SSE_HEAD + chunk(b"abc"), SSE_HEAD + b"5\r\nab"])
async def test_leaving_in_any_phase_closes_the_connection(pool: PoolClient, before: bytes) -> None:
    """A call that is cancelled closes its connection at once, and gives its place back."""
    async with UpstreamServer(in_turn([before, Act.HANG], [whole(b"next")])) as server:
        calling = asyncio.create_task(ask(pool, server.url))
        await server.wait_for_requests(1)
        await asyncio.sleep(0.01)
        calling.cancel()
        await asyncio.wait([calling])
        await server.connections[0].wait_closed()

        assert calling.cancelled()
        assert server.connections[0].by_peer
        assert await ask(pool, server.url) == b"next"


async def test_leaving_while_the_request_is_on_its_way(pool: PoolClient) -> None:
    """A call may be given up while the provider has not even taken its body."""
    async with UpstreamServer(always(Act.HANG)) as server:
        calling = asyncio.create_task(ask(pool, server.url, b"x" * (32 * MEGABYTE)))
        await settle()
        calling.cancel()
        await asyncio.wait([calling])
        await server.connections[0].wait_closed()

        assert calling.cancelled()


async def test_a_failure_is_told_as_often_as_it_is_asked_for(pool: PoolClient) -> None:
    """A body that broke off stays broken."""
    async with UpstreamServer(always(SSE_HEAD, chunk(b"abc"), Act.CLOSE)) as server:
        reply = await pool.send(post(server.url))
        parts, failures = [], []
        for _ in range(4):
            try:
                parts.append(await anext(aiter(reply.chunks())))
            except GatewayError as error:
                failures.append(error.kind)

        assert (parts, failures) == ([b"abc"], [TARGET_UNAVAILABLE] * 3)
