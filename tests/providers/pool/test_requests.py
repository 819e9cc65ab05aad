"""URLs and heads: what is sent where, and what is never sent."""

from __future__ import annotations

import pytest

from app.core.errors import INVALID_REQUEST, TARGET_MISCONFIGURED, GatewayError
from app.core.ports import HttpRequest
from app.providers.pool import PoolClient
from app.providers.pool.encode import encode_head
from app.providers.pool.origin import Address, Origin, locate
from tests.support.upstream_server import UpstreamServer, always, whole

ADDRESS = Address(Origin("x.test", 80), "x.test", "/v1")


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://x.test", Address(Origin("x.test", 80), "x.test", "/")),
        ("http://X.test:80/v1/", Address(Origin("x.test", 80), "x.test", "/v1/")),
        ("http://x.test:8080/v1?a=b&c", Address(Origin("x.test", 8080), "x.test:8080", "/v1?a=b&c")),
        ("https://x.test/v1#part", Address(Origin("x.test", 443, secure=True), "x.test", "/v1")),
        ("https://x.test:80/", Address(Origin("x.test", 80, secure=True), "x.test:80", "/")),
        ("http://[::1]:9/v1", Address(Origin("::1", 9), "[::1]:9", "/v1")),
        ("http://x.test/a%20b/ä", Address(Origin("x.test", 80), "x.test", "/a%20b/%C3%A4")),
        ("http://bücher.test/", Address(Origin("xn--bcher-kva.test", 80), "xn--bcher-kva.test", "/")),
        ("http+unix://%2Frun%2FModel.sock/v1", Address(Origin(socket_path="/run/Model.sock"), "localhost", "/v1")),
    ],
)
def test_a_url_says_where_and_what(url: str, address: Address) -> None:
    """Origin, host header and target follow from the URL."""
    assert locate(url) == address


@pytest.mark.parametrize(
    "url",
    ["", "x.test/v1", "ftp://x.test/", "http://", "http:///v1", "http://x.test:99999/", "http://[::1/", "http://u:p@x/",
     "http://x.test/a b", "http://x.test/\r\nx: y", "http://x.test/\x00", "http://" + "ü" * 80 + ".test/"],
)  # fmt: skip
def test_what_is_no_url_is_refused(url: str) -> None:
    """A URL that leads nowhere is the operator's to correct, and nothing of it is repeated."""
    with pytest.raises(GatewayError) as caught:
        locate(url)

    assert caught.value.kind is TARGET_MISCONFIGURED
    assert not url or url not in caught.value.message


@pytest.mark.parametrize(
    "header",
    [
        ("x", "a\r\ny: z"), ("x", "a\ny"), ("x", "a\ry"), ("x", "a\x00"), ("x", "a\x7f"), ("x", "\u20ac"),
        ("x\r\ny", "z"), ("x y", "z"), ("x:", "z"), ("", "z"), ("ü", "z"),
        ("Content-Length", "0"), ("transfer-encoding", "chunked"),
    ],
)  # fmt: skip
def test_a_header_is_one_header(header: tuple[str, str]) -> None:
    """A header that would be more than a header, or that would say where the request ends, is not sent."""
    with pytest.raises(GatewayError) as caught:
        encode_head("POST", ADDRESS, (("ok", "1"), header))

    assert caught.value.kind is INVALID_REQUEST


def test_a_refused_value_is_not_repeated() -> None:
    """The message names the header and keeps its value to itself: it may be a key."""
    with pytest.raises(GatewayError) as caught:
        encode_head("POST", ADDRESS, (("authorization", "Bearer sk-secret\n"),))

    assert "authorization" in caught.value.message
    assert "secret" not in caught.value.message


@pytest.mark.parametrize("method", ["", "GET /", "GET\r\n", "GÉT"])
def test_a_method_is_one_word(method: str) -> None:
    """A method cannot carry another request either."""
    with pytest.raises(GatewayError) as caught:
        encode_head(method, ADDRESS, ())

    assert caught.value.kind is INVALID_REQUEST


def test_a_given_host_is_sent() -> None:
    """A configured host header takes the place of the URL's."""
    head = encode_head("POST", ADDRESS, (("Host", "y.test"),))

    assert head.lines == b"POST /v1 HTTP/1.1\r\nHost: y.test\r\n"


def test_latin_values_are_sent_as_they_are() -> None:
    """The characters that HTTP/1.1 has room for are sent in its own encoding."""
    head = encode_head("POST", ADDRESS, (("x", "caf\xe9\tau lait"),))

    assert head.lines.endswith(b"x: caf\xe9\tau lait\r\n")


@pytest.mark.parametrize(
    ("method", "body", "length"),
    [("POST", b"", "0"), ("POST", b"abc", "3"), ("POST", b"x" * 100_000, "100000"), ("GET", b"", None),
     ("GET", b"abc", "3"), ("HEAD", b"", None), ("DELETE", b"", "0")],
)  # fmt: skip
async def test_a_length_is_sent_where_one_is_due(
    pool: PoolClient, method: str, body: bytes, length: str | None
) -> None:
    """Every request with a body, and every one whose method suggests a body, says how long that is."""
    async with UpstreamServer(always(whole(b""))) as server:
        reply = await pool.send(HttpRequest(method, server.url + "/x", (), body, 5.0))
        await reply.aclose()

        assert (server.requests[0].header("content-length"), server.requests[0].body) == (length, body)


@pytest.mark.parametrize("status", [204, 304])
async def test_answers_without_a_body(pool: PoolClient, status: int) -> None:
    """An answer that has no body is complete at once and keeps its connection."""
    async with UpstreamServer(always(b"HTTP/1.1 %d X\r\n\r\n" % status)) as server:
        for _ in range(3):
            reply = await pool.send(HttpRequest("POST", server.url + "/x", (), b"", 5.0))
            assert (reply.status, [data async for data in reply.chunks()]) == (status, [])

        assert len(server.connections) == 1


async def test_the_answer_to_head_has_no_body(pool: PoolClient) -> None:
    """The length in an answer to HEAD is that of a body that does not come."""
    async with UpstreamServer(always(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")) as server:
        for _ in range(2):
            reply = await pool.send(HttpRequest("HEAD", server.url + "/x", (), b"", 5.0))
            assert (reply.status, [data async for data in reply.chunks()]) == (200, [])


async def test_http_1_0_with_keep_alive(pool: PoolClient) -> None:
    """An old server that keeps the connection says so, and is believed."""
    answer = b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi"
    async with UpstreamServer(always(answer)) as server:
        for _ in range(2):
            reply = await pool.send(HttpRequest("POST", server.url + "/x", (), b"", 5.0))
            assert [data async for data in reply.chunks()] == [b"hi"]

        assert len(server.connections) == 1
