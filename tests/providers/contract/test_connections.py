"""Connections: kept while they are good, shared by nobody at a time, and as many as are needed."""

from __future__ import annotations

import asyncio

import pytest

from tests.providers.contract.adapters import Adapter, call, request
from tests.support.upstream_server import Act, Received, Step, UpstreamServer, always, streamed, whole


def echo(asked: Received) -> list[Step]:
    """Answer with the request's own body."""
    return [whole(asked.body)]


async def test_one_connection_serves_many_calls(client: Adapter) -> None:
    """Calls after each other use the same connection."""
    async with UpstreamServer(echo) as server:
        answers = [await call(client, request(server, body=b"%d" % number)) for number in range(100)]

        assert answers == [(200, b"%d" % number) for number in range(100)]
        assert len(server.connections) == 1


@pytest.mark.parametrize("status", [200, 400, 429, 500, 503])
async def test_a_status_does_not_cost_the_connection(client: Adapter, status: int) -> None:
    """A refusal that was read to its end leaves the connection usable."""
    async with UpstreamServer(always(whole(b'{"error":{}}', status))) as server:
        await call(client, request(server))
        await call(client, request(server))

        assert len(server.connections) == 1


async def test_a_complete_stream_does_not_cost_the_connection(client: Adapter) -> None:
    """A chunked body that was read to its last chunk leaves the connection usable."""
    async with UpstreamServer(always(*streamed(b"a", b"b"))) as server:
        await call(client, request(server))
        await call(client, request(server))

        assert len(server.connections) == 1


@pytest.mark.parametrize(
    "answer",
    [
        [whole(b"abc", 200, "connection: close"), Act.CLOSE],
        [whole(b"abc", 200, "Connection: Close")],
        [b"HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\nabc"],
        [b"HTTP/1.1 200 OK\r\n\r\nabc", Act.CLOSE],
    ],
)
async def test_a_connection_that_ends_is_not_used_again(client: Adapter, answer: list[Step]) -> None:
    """An upstream that says that its connection ends here is believed."""
    async with UpstreamServer(always(*answer)) as server:
        answers = [await call(client, request(server)) for _ in range(3)]

        assert answers == [(200, b"abc")] * 3
        assert len(server.connections) == 3


async def test_a_hundred_calls_at_once(client: Adapter) -> None:
    """Calls at the same time have connections of their own, and each gets its own answer."""
    together = asyncio.Event()

    def script(asked: Received) -> list[Step]:
        if len(server.requests) == 100:
            together.set()
        return [together, whole(asked.body)]

    async with UpstreamServer(script) as server:
        calls = [call(client, request(server, body=b"%d" % number)) for number in range(100)]
        answers = await asyncio.gather(*calls)
        again = await asyncio.gather(*(call(client, request(server, body=b"x")) for _ in range(100)))

        assert answers == [(200, b"%d" % number) for number in range(100)]
        assert again == [(200, b"x")] * 100
        assert len(server.connections) == 100


async def test_two_upstreams_do_not_mix(client: Adapter) -> None:
    """A connection is used for the address it was opened to."""
    async with UpstreamServer(always(whole(b"one"))) as one, UpstreamServer(always(whole(b"two"))) as two:
        answers = [await call(client, request(server)) for server in (one, two, one, two)]

        assert answers == [(200, b"one"), (200, b"two")] * 2
        assert (len(one.connections), len(two.connections)) == (1, 1)
