"""Bodies that are read while they are sent."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec
import pytest

from app.core.errors import BODY_TOO_LARGE, TARGET_UNAVAILABLE, GatewayError
from app.core.ports import HttpRequest
from tests.providers.contract.adapters import Adapter, call, request
from tests.support.upstream_server import LIMIT_S, Act, UpstreamServer, always, whole


class Given:
    """An upload of pieces that are there already; an error among them is raised, an event waited for."""

    def __init__(self, *pieces: bytes | GatewayError | asyncio.Event, length: int | None = None) -> None:
        self._pieces = iter(pieces)
        self.length = length
        self.begun = False
        self.waiting = asyncio.Event()

    async def next(self) -> bytes | None:
        """Return the next piece."""
        piece = next(self._pieces, None)
        if isinstance(piece, asyncio.Event):
            self.waiting.set()
            await piece.wait()
            return await self.next()
        if isinstance(piece, GatewayError):
            raise piece
        self.begun = True
        return piece


def uploading(server: UpstreamServer, upload: Given) -> HttpRequest:
    """Return a request with an upload."""
    return msgspec.structs.replace(request(server, body=b"", headers=(("content-type", "x/y"),)), upload=upload)


def many(count: int, piece: bytes) -> Iterable[bytes]:
    """Return the same piece again and again."""
    return (piece for _ in range(count))


async def test_a_body_of_known_length(client: Adapter) -> None:
    """It is announced and sent as it is."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        answer = await call(client, uploading(server, Given(b"abc", b"defg", length=7)))

        (sent,) = server.requests
        assert answer == (200, b"{}")
        assert (sent.body, sent.header("content-length"), sent.header("transfer-encoding")) == (b"abcdefg", "7", None)


async def test_a_body_of_unknown_length(client: Adapter) -> None:
    """It is sent in chunks, and ends where it ends."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        answer = await call(client, uploading(server, Given(b"abc", b"d" * 20)))

        (sent,) = server.requests
        assert answer == (200, b"{}")
        assert (sent.body, sent.header("content-length")) == (b"abc" + b"d" * 20, None)


async def test_much_more_than_any_buffer_holds(client: Adapter) -> None:
    """A large body arrives whole, whatever the peer's pace."""
    piece = bytes(range(256)) * 256
    async with UpstreamServer(always(whole(b"{}"))) as server:
        answer = await call(client, uploading(server, Given(*many(200, piece), length=200 * len(piece))))

        assert answer == (200, b"{}")
        assert server.requests[0].body == piece * 200


async def test_connections_are_used_on(client: Adapter) -> None:
    """What comes after an upload may have its connection, and finds it in step."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        answers = [await call(client, uploading(server, Given(b"a", length=1))) for _ in range(3)]
        answers.append(await call(client, request(server, body=b"{}")))

        assert answers == [(200, b"{}")] * 4
        assert [sent.body for sent in server.requests] == [b"a", b"a", b"a", b"{}"]


async def test_what_the_body_raises(client: Adapter) -> None:
    """A body that turns out to be none ends the request, and the connection."""
    failure = GatewayError(BODY_TOO_LARGE, "too large")
    async with UpstreamServer(always(whole(b"{}"))) as server:
        with pytest.raises(GatewayError) as caught:
            await client.send(uploading(server, Given(b"abc", failure)))

        assert caught.value is failure
        assert server.requests == []
        await server.connections[0].wait_closed()


async def test_leaving_in_the_middle(client: Adapter) -> None:
    """A call that is given up while its body comes closes the connection at once."""
    never = asyncio.Event()
    async with UpstreamServer(always(whole(b"{}"))) as server:
        upload = Given(b"abc", never, length=10)
        sending = asyncio.create_task(client.send(uploading(server, upload)))
        async with asyncio.timeout(LIMIT_S):
            await upload.waiting.wait()
        sending.cancel()
        await asyncio.wait([sending])

        assert sending.cancelled()
        await server.connections[0].wait_closed()
        assert server.connections[0].by_peer


@pytest.mark.parametrize("act", [Act.CLOSE, Act.RESET])
async def test_a_peer_that_leaves_in_the_middle(client: Adapter, act: Act) -> None:
    """A connection that breaks while the body is being sent is a failure of the provider."""
    async with UpstreamServer(always(act)) as server:
        with pytest.raises(GatewayError) as caught:
            await client.send(uploading(server, Given(b"abc", length=3)))

        assert caught.value.kind is TARGET_UNAVAILABLE
