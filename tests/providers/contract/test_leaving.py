"""Calls that are given up: whenever that happens, the upstream sees its connection close, and nothing leaks."""

from __future__ import annotations

import asyncio

import pytest

from app.core.ports import HttpRequest
from tests.providers.contract.adapters import Adapter, body_of, call, deaf_server, request, rounds
from tests.support.upstream_server import LAST_CHUNK, SSE_HEAD, Act, UpstreamServer, always, chunk, streamed, whole


async def cancelled(task: asyncio.Task[object]) -> bool:
    """Cancel a task and say whether it ended by that."""
    task.cancel()
    await asyncio.wait([task])
    return task.cancelled()


async def test_cancelling_a_connection_attempt(client: Adapter) -> None:
    """A call that is still connecting can be given up."""
    with deaf_server() as url:
        sending = asyncio.create_task(client.send(HttpRequest("POST", url + "/v1/x", (), b"{}", 60.0)))
        await rounds(20)

        assert await cancelled(sending)


@pytest.mark.parametrize("before", [b"", b"HTTP/1.1 200 OK\r\ncontent-le"])
async def test_cancelling_the_wait_for_the_head(client: Adapter, before: bytes) -> None:
    """A call that waits for its answer closes the connection when it is given up."""
    async with UpstreamServer(always(before, Act.HANG)) as server:
        sending = asyncio.create_task(client.send(request(server)))
        await server.wait_for_requests(1)
        await rounds(20)

        assert await cancelled(sending)
        await server.connections[0].wait_closed()
        assert server.connections[0].by_peer


async def test_cancelling_while_the_body_comes(client: Adapter) -> None:
    """A reader that is cancelled in the middle of a body closes the connection."""
    async with UpstreamServer(always(SSE_HEAD, chunk(b"abc"), Act.HANG)) as server:
        reading = asyncio.create_task(call(client, request(server)))
        await server.wait_for_requests(1)
        await rounds(50)

        assert await cancelled(reading)
        await server.connections[0].wait_closed()


@pytest.mark.parametrize("read", [0, 1])
async def test_closing_a_reply_early(client: Adapter, read: int) -> None:
    """A reply that is closed before its end, or before anybody read it, gives the connection up."""
    async with UpstreamServer(always(SSE_HEAD, chunk(b"abc"), Act.HANG)) as server:
        reply = await client.send(request(server))
        chunks = reply.chunks()
        for _ in range(read):
            await anext(chunks)

        await reply.aclose()
        await reply.aclose()

        await server.connections[0].wait_closed()
        assert server.connections[0].by_peer


async def test_closing_a_whole_reply_early(client: Adapter) -> None:
    """A reply that nobody read, although it is there, does not leave its body to the next call."""
    async with UpstreamServer(always(whole(b"abc"))) as server:
        reply = await client.send(request(server))
        await reply.aclose()

        assert await call(client, request(server)) == (200, b"abc")


async def test_closing_a_reply_after_its_end(client: Adapter) -> None:
    """Closing a reply that was read to its end, however often, keeps the connection."""
    async with UpstreamServer(always(whole(b"abc"))) as server:
        reply = await client.send(request(server))
        await body_of(reply)
        await reply.aclose()
        await call(client, request(server))

        assert len(server.connections) == 1


async def test_leaving_at_any_moment_leaks_nothing(client: Adapter) -> None:
    """Wherever in its life a call is cancelled, at most one connection remains, and it works."""
    answer = streamed(b"a", b"b", b"c")
    async with UpstreamServer(always(*(step for part in answer for step in (part, 0.0)))) as server:
        for count in range(60):
            calling = asyncio.create_task(call(client, request(server)))
            await rounds(count)
            await cancelled(calling)
            if len(server.open) > 1:
                await server.open[0].wait_closed()

        assert await call(client, request(server)) == (200, b"abc")
        assert len(server.open) <= 1


async def test_closing_the_client_closes_idle_connections(client: Adapter) -> None:
    """At the end of its life a client takes its connections with it."""
    async with UpstreamServer(always(SSE_HEAD, chunk(b"abc"), LAST_CHUNK)) as server:
        await call(client, request(server))

        await client.aclose()

        await server.connections[0].wait_closed()
        assert server.connections[0].by_peer
