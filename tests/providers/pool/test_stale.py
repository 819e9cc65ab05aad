"""Kept connections that the peer closes: never the caller's trouble, and never a second answer."""

from __future__ import annotations

import asyncio

import pytest

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.providers.pool import PoolClient, PoolOptions
from tests.providers.pool.talking import ask, pool_with
from tests.support.upstream_server import Act, Received, Step, UpstreamServer, always, in_turn, whole

ENDS = pytest.mark.parametrize("end", [Act.CLOSE, Act.HALF_CLOSE, Act.RESET], ids=lambda end: end.value)


@ENDS
async def test_a_kept_connection_that_breaks_is_replaced(pool: PoolClient, end: Act) -> None:
    """A request that a kept connection did not answer with one byte is sent again on a new one."""
    async with UpstreamServer(in_turn([whole(b"one")], [end], [whole(b"two")])) as server:
        answers = [await ask(pool, server.url, b"first"), await ask(pool, server.url, b"second")]

        assert answers == [b"one", b"two"]
        assert [(asked.body, asked.connection) for asked in server.requests] == [
            (b"first", 0), (b"second", 0), (b"second", 1),
        ]  # fmt: skip


@ENDS
async def test_a_new_connection_that_breaks_is_not_replaced(pool: PoolClient, end: Act) -> None:
    """A connection that was never used cannot have grown stale: its break is the provider's failure."""
    async with UpstreamServer(always(end)) as server:
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url)

        assert caught.value.kind is TARGET_UNAVAILABLE
        assert len(server.requests) == 1


@ENDS
async def test_a_provider_that_dies_at_work_is_not_asked_twice(end: Act) -> None:
    """A break that comes late is no closed connection: the provider had the request, and its failure is told."""
    script = in_turn([whole(b"one")], [0.2, end])
    async with pool_with(PoolOptions(stale_s=0.1)) as pool, UpstreamServer(script) as server:
        await ask(pool, server.url)
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url)

        assert caught.value.kind is TARGET_UNAVAILABLE
        assert len(server.requests) == 2


@ENDS
async def test_it_is_tried_once_more_and_not_again(pool: PoolClient, end: Act) -> None:
    """The second try is the last, and it is not made on another kept connection."""
    gate = asyncio.Event()
    async with UpstreamServer(in_turn([gate, whole(b"x")], [gate, whole(b"x")], [end], [end])) as server:
        calls = [asyncio.create_task(ask(pool, server.url)) for _ in range(2)]
        await server.wait_for_requests(2)
        gate.set()
        await asyncio.gather(*calls)
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url)

        assert caught.value.kind is TARGET_UNAVAILABLE
        assert [asked.connection for asked in server.requests[3:]] == [2]


@ENDS
@pytest.mark.parametrize("begun", [b"H", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 200 OK\r\n"])
async def test_an_answer_that_has_begun_is_not_asked_for_again(pool: PoolClient, begun: bytes, end: Act) -> None:
    """One byte of an answer shows that the request was received: it is never sent twice."""
    async with UpstreamServer(in_turn([whole(b"one")], [begun, end])) as server:
        await ask(pool, server.url)
        with pytest.raises(GatewayError) as caught:
            await ask(pool, server.url)

        assert caught.value.kind is TARGET_UNAVAILABLE
        assert len(server.requests) == 2


async def test_a_provider_that_closes_idle_connections_surfaces_no_error(pool: PoolClient) -> None:
    """Under load, with every third answer followed by a silent close, all calls are answered."""

    def script(asked: Received) -> list[Step]:
        return [whole(asked.body), Act.CLOSE] if asked.number % 3 == 0 else [whole(asked.body)]

    async def caller(number: int) -> list[bytes]:
        return [await ask(pool, server.url, b"%d-%d" % (number, turn)) for turn in range(50)]

    async with UpstreamServer(script) as server:
        answers = await asyncio.gather(*(caller(number) for number in range(10)))

        assert answers == [[b"%d-%d" % (number, turn) for turn in range(50)] for number in range(10)]


async def test_a_replacement_finds_room() -> None:
    """The new connection for a second try takes the place of one that rests, where there is no other."""
    gate = asyncio.Event()
    answers = in_turn([gate, whole(b"x")], [gate, whole(b"x")], [Act.CLOSE], [whole(b"y")])
    async with pool_with(PoolOptions(per_origin_max=2)) as pool, UpstreamServer(answers) as server:
        calls = [asyncio.create_task(ask(pool, server.url)) for _ in range(2)]
        await server.wait_for_requests(2)
        gate.set()
        await asyncio.gather(*calls)
        answer = await ask(pool, server.url)

        assert answer == b"y"
        assert len(server.connections) == 3


async def test_bytes_on_a_resting_connection_close_it(pool: PoolClient) -> None:
    """A connection on which the peer speaks unasked is closed there and then."""
    async with UpstreamServer(in_turn([whole(b"one"), 0.0, 0.0, whole(b"forged")], [whole(b"two")])) as server:
        one = await ask(pool, server.url)
        await server.connections[0].wait_closed()
        two = await ask(pool, server.url)

        assert (one, two) == (b"one", b"two")
        assert server.connections[0].by_peer
