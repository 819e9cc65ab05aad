"""Kept connections that the peer closes: not used if that is known, and no request is ever sent twice."""

from __future__ import annotations

import asyncio
import socket
import struct

import pytest

from app.core.errors import TARGET_UNAVAILABLE, Again, GatewayError
from app.providers.pool import PoolClient
from tests.providers.pool.talking import ask
from tests.support.upstream_server import Act, Received, Step, UpstreamServer, always, in_turn, whole

ENDS = pytest.mark.parametrize("end", [Act.CLOSE, Act.HALF_CLOSE, Act.RESET], ids=lambda end: end.value)


@ENDS
async def test_a_kept_connection_that_the_peer_has_closed_is_not_used(pool: PoolClient, end: Act) -> None:
    """Also where the loop has not heard of it yet: the socket is asked, and the request leaves on a new connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        first = asyncio.create_task(ask(pool, url, b"first"))
        kept, _ = await asyncio.to_thread(listener.accept)
        with kept:
            await asyncio.to_thread(kept.recv, 65_536)
            kept.sendall(whole(b"one"))
            one = await first
            if end is Act.RESET:
                kept.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            if end is Act.HALF_CLOSE:
                kept.shutdown(socket.SHUT_WR)
            else:
                kept.close()

            second = asyncio.create_task(ask(pool, url, b"second"))  # no event was looked for in between
            new, _ = await asyncio.to_thread(listener.accept)
            with new:
                await asyncio.to_thread(new.recv, 65_536)
                new.sendall(whole(b"two"))
                two = await second

    assert (one, two) == (b"one", b"two")


@ENDS
async def test_a_request_that_was_sent_is_not_sent_again(pool: PoolClient, end: Act) -> None:
    """Where a kept connection breaks afterwards the peer may have acted upon the request: the caller decides."""
    async with UpstreamServer(in_turn([whole(b"one")], [end])) as server:
        await ask(pool, server.url)
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url)

        assert (caught.value.kind, caught.value.kind.again) == (TARGET_UNAVAILABLE, Again.HERE)
        assert [asked.connection for asked in server.requests] == [0, 0]


@ENDS
async def test_a_new_connection_that_breaks_is_a_failure(pool: PoolClient, end: Act) -> None:
    """It is the provider's, and nothing is tried in secret."""
    async with UpstreamServer(always(end)) as server:
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url)

        assert caught.value.kind is TARGET_UNAVAILABLE
        assert len(server.requests) == 1


@ENDS
@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_an_answer_that_has_begun_is_not_asked_for_again(pool: PoolClient, begun: bytes, end: Act) -> None:
    """The message says that the provider was at it."""
    async with UpstreamServer(in_turn([whole(b"one")], [begun, end])) as server:
        await ask(pool, server.url)
        with pytest.raises(GatewayError, match="mid-answer") as caught:
            await ask(pool, server.url)

        assert caught.value.kind is TARGET_UNAVAILABLE
        assert len(server.requests) == 2


async def test_a_provider_that_closes_after_answers_gets_nothing_twice(pool: PoolClient) -> None:
    """Under load, with every third answer followed by a silent close, each call has its answer or a failure."""

    def script(asked: Received) -> list[Step]:
        return [whole(asked.body), Act.CLOSE] if asked.number % 3 == 0 else [whole(asked.body)]

    async def call(body: bytes) -> bytes:
        try:
            return await ask(pool, server.url, body)
        except GatewayError:
            return body

    async def caller(number: int) -> list[bytes]:
        return [await call(b"%d-%d" % (number, turn)) for turn in range(50)]

    async with UpstreamServer(script) as server:
        answers = await asyncio.gather(*(caller(number) for number in range(10)))

        assert answers == [[b"%d-%d" % (number, turn) for turn in range(50)] for number in range(10)]
        assert len({asked.body for asked in server.requests}) == len(server.requests)


async def test_bytes_on_a_resting_connection_close_it(pool: PoolClient) -> None:
    """A connection on which the peer speaks unasked is closed there and then."""
    async with UpstreamServer(in_turn([whole(b"one"), 0.0, 0.0, whole(b"forged")], [whole(b"two")])) as server:
        one = await ask(pool, server.url)
        await server.connections[0].wait_closed()
        two = await ask(pool, server.url)

        assert (one, two) == (b"one", b"two")
        assert server.connections[0].by_peer
