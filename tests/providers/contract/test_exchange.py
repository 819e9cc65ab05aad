"""Requests out and answers in: what an adapter puts on the wire, and what it makes of what comes back."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Iterator

import pytest

from tests.providers.contract.adapters import Adapter, body_of, call, request
from tests.support.upstream_server import (
    LAST_CHUNK,
    SSE_HEAD,
    Act,
    Received,
    Step,
    UpstreamServer,
    always,
    chunk,
    in_turn,
    streamed,
    whole,
)

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
HEADERS = (("content-type", "application/json"), ("authorization", "Bearer k"), ("accept-encoding", "identity"))


async def test_sends_the_request_and_nothing_more(client: Adapter) -> None:
    """The wire carries the given headers and bytes, a host and a length; no user agent, no cookie, nothing invented."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        await call(client, request(server, "/v1/x?y=1&z=%20a", b'{"a": 1}\n', HEADERS))

        (sent,) = server.requests
        names = sorted(name.lower() for name, _ in sent.headers)
        assert (sent.method, sent.target, sent.body) == ("POST", "/v1/x?y=1&z=%20a", b'{"a": 1}\n')
        assert names == ["accept-encoding", "authorization", "content-length", "content-type", "host"]
        assert [sent.header(name) for name, _ in HEADERS] == [value for _, value in HEADERS]
        assert (sent.header("host"), sent.header("content-length")) == (server.url.removeprefix("http://"), "9")


async def test_sends_no_body_with_get(client: Adapter) -> None:
    """A request without a body announces none."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        await call(client, request(server, "/v1/models", b"", (("accept", "application/json"),), "GET"))

        (sent,) = server.requests
        assert (sent.method, sent.target, sent.body) == ("GET", "/v1/models", b"")
        assert sent.header("content-length") in {None, "0"}
        assert sent.header("transfer-encoding") is None


@pytest.mark.parametrize("body", [b"\x00\xff\r\n\r\n", bytes(range(256)) * 8192], ids=["binary", "2 MiB"])
async def test_sends_any_body_unchanged(client: Adapter, body: bytes) -> None:
    """Bytes of any kind and number arrive as they are."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        await call(client, request(server, body=body))

        assert server.requests[0].body == body


@pytest.mark.parametrize("status", [200, 201, 207, 300, 400, 404, 418, 429, 500, 503, 529, 599])
async def test_returns_every_status(client: Adapter, status: int) -> None:
    """A status is an answer like any other, with its body."""
    async with UpstreamServer(always(whole(b"abc", status))) as server:
        assert await call(client, request(server)) == (status, b"abc")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_follows_no_redirect(client: Adapter, status: int) -> None:
    """Where a request goes is configuration, not the upstream's choice."""
    async with UpstreamServer(always(whole(b"", status, "location: /elsewhere"))) as server:
        answer = await call(client, request(server))

        assert (answer, len(server.requests)) == ((status, b""), 1)


async def test_keeps_no_cookies(client: Adapter) -> None:
    """What one call was told to remember is not repeated by the next, which may be another user's."""
    async with UpstreamServer(always(whole(b"{}", 200, "set-cookie: a=b; Path=/"))) as server:
        await call(client, request(server))
        await call(client, request(server))

        assert [sent.header("cookie") for sent in server.requests] == [None, None]


async def test_names_headers_in_lower_case(client: Adapter) -> None:
    """However the upstream spells its headers, they are found under the lower-case name."""
    head = b"HTTP/1.1 200 OK\r\nContent-LENGTH:0\r\nX-Odd:  Value \r\nx-empty:\r\nX-Latin: \xe9\r\n\r\n"
    async with UpstreamServer(always(head)) as server:
        reply = await client.send(request(server))
        await reply.aclose()

    assert set(reply.headers) == {"content-length", "x-odd", "x-empty", "x-latin"}
    assert (reply.headers["x-odd"], reply.headers["x-empty"], reply.headers.get("x-none", "-")) == ("Value", "", "-")


async def test_joins_or_replaces_repeated_headers(client: Adapter) -> None:
    """Of a repeated header the last value or all of them are there."""
    async with UpstreamServer(always(whole(b"", 200, "x-a: 1", "X-A: 2"))) as server:
        reply = await client.send(request(server))
        await reply.aclose()

    assert reply.headers["x-a"] in {"2", "1, 2"}


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        ([whole(b"")], b""),
        ([whole(b"abc")], b"abc"),
        ([b"HTTP/1.1 204 No Content\r\n\r\n"], b""),
        ([CHUNKED + LAST_CHUNK], b""),
        ([CHUNKED, chunk(b"a"), chunk(b"bc"), LAST_CHUNK], b"abc"),
        ([CHUNKED + b"3;ext=1\r\nabc\r\n0\r\nx-trailer: 1\r\n\r\n"], b"abc"),
        ([CHUNKED + b"0000A\r\n0123456789\r\n00\r\n\r\n"], b"0123456789"),
        ([b"HTTP/1.1 200 OK\r\n\r\nabc", Act.CLOSE], b"abc"),
        ([b"HTTP/1.1 200 OK\r\n\r\n", b"a", b"bc", Act.HALF_CLOSE], b"abc"),
        ([b"HTTP/1.0 200 OK\r\n\r\nabc", Act.CLOSE], b"abc"),
        ([b"HTTP/1.1 200\r\ncontent-length: 3\r\n\r\nabc"], b"abc"),
        ([b"HTTP/1.1 100 Continue\r\n\r\n", whole(b"abc")], b"abc"),
        ([b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n", whole(b"abc")], b"abc"),
    ],
)
async def test_reads_every_kind_of_body(client: Adapter, answer: list[Step], body: bytes) -> None:
    """Lengths, chunks and closed connections all end a body, and the transfer coding is gone."""
    async with UpstreamServer(always(*answer)) as server:
        assert (await call(client, request(server)))[1] == body


async def test_does_not_decompress(client: Adapter) -> None:
    """The bytes of the body are those of the wire, whatever the content coding says."""
    packed = gzip.compress(b"abc")
    async with UpstreamServer(always(whole(packed, 200, "content-encoding: gzip"))) as server:
        reply = await client.send(request(server))

        assert reply.headers["content-encoding"] == "gzip"
        assert await body_of(reply) == packed


@pytest.mark.parametrize(
    "answer", [whole(b"abc", 201, "x-a: b"), CHUNKED.replace(b"200", b"201") + chunk(b"abc") + LAST_CHUNK]
)
async def test_reads_an_answer_byte_by_byte(client: Adapter, answer: bytes) -> None:
    """Heads and bodies may be cut anywhere."""
    steps: list[Step] = [step for byte in answer for step in (bytes([byte]), 0.0)]
    async with UpstreamServer(always(*steps)) as server:
        assert await call(client, request(server)) == (201, b"abc")


async def test_returns_with_the_head(client: Adapter) -> None:
    """The call returns once the head is there, and each part is handed out as it comes; then it is known to be all."""
    first, second = asyncio.Event(), asyncio.Event()
    answer = (SSE_HEAD, first, chunk(b"one"), second, chunk(b"two"), LAST_CHUNK)
    async with UpstreamServer(always(*answer)) as server:
        reply = await client.send(request(server))
        chunks = reply.chunks()

        first.set()
        one = await anext(chunks)
        before = reply.rest()
        second.set()
        rest = [data async for data in chunks]
        after = reply.rest()
        await reply.aclose()

        assert (reply.status, one, b"".join(rest)) == (200, b"one", b"two")
        assert (before, after) == (None, b"")


@pytest.mark.parametrize("coding", ["length", "chunked"])
async def test_reads_a_big_body(client: Adapter, coding: str) -> None:
    """A body of megabytes arrives whole, in parts that are not held together."""
    body = bytes(range(256)) * 32_768
    answer = (
        (whole(body),)
        if coding == "length"
        else streamed(*[body[at : at + 100_000] for at in range(0, len(body), 100_000)])
    )
    async with UpstreamServer(always(*answer)) as server:
        reply = await client.send(request(server))
        parts = [data async for data in reply.chunks()]
        await reply.aclose()

    assert b"".join(parts) == body
    assert max(map(len, parts)) < len(body) // 2


async def test_waits_for_a_reader(client: Adapter) -> None:
    """A body that nobody reads is not collected in memory: the upstream has to wait."""
    mebibytes: list[int] = []

    def script(_request: Received) -> Iterator[Step]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 67108864\r\n\r\n"
        for number in range(64):
            mebibytes.append(number)
            yield bytes(1 << 20)

    async with UpstreamServer(script) as server:
        reply = await client.send(request(server))
        await anext(aiter(reply.chunks()))
        await asyncio.sleep(0.2)  # enough for all of it, if anybody took it
        await reply.aclose()

    assert len(mebibytes) < 32


async def test_answers_belong_to_their_requests(client: Adapter) -> None:
    """Answers that differ come back in the order of their requests."""
    answers = [[whole(b"%d" % number)] for number in range(5)]
    async with UpstreamServer(in_turn(*answers)) as server:
        assert [await call(client, request(server)) for _ in range(5)] == [(200, b"%d" % number) for number in range(5)]
