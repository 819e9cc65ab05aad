"""The parser on its own: no sockets, only bytes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from app.providers.pool.options import PoolOptions
from app.providers.pool.parser import ReplyParser
from app.providers.pool.reply import PoolReply

SMALL = PoolOptions(head_max_bytes=200, headers_max=5)
LENGTH = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc"
CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


class NoLine:
    """A connection that there is not."""

    def resume(self) -> None:
        """Do nothing."""

    def drop(self) -> None:
        """Do nothing."""


def parsed(*parts: bytes, options: PoolOptions = SMALL, bodiless: bool = False) -> tuple[ReplyParser, PoolReply]:
    """Feed parts to a fresh parser."""
    parser, reply = ReplyParser(options), PoolReply(NoLine())
    parser.expect(reply, bodiless=bodiless)
    for part in parts:
        parser.feed(part)
    return parser, reply


def refusal(*parts: bytes) -> GatewayError:
    """Feed parts of which one must be refused."""
    with pytest.raises(GatewayError) as caught:
        parsed(*parts)
    return caught.value


def cut(wire: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at the given places, wherever those are."""
    marks = sorted({place % len(wire) for place in places} | {0, len(wire)})
    return [wire[start:end] for start, end in itertools.pairwise(marks)]


names = st.from_regex(r"x-[a-z0-9]{1,8}", fullmatch=True)
values = st.from_regex(r"[!-~]([ -~]{0,10}[!-~])?", fullmatch=True)
bodies = st.lists(st.binary(min_size=1, max_size=50), max_size=5)
places = st.lists(st.integers(0, 10_000), max_size=12)


@given(
    status=st.integers(200, 599).filter(lambda code: code not in {204, 304}),
    headers=st.dictionaries(names, values),
    parts=bodies,
    framing=st.sampled_from(["length", "chunked", "close"]),
    interim=st.booleans(),
    where=places,
)
def test_any_split_of_any_reply_is_the_same_reply(
    *, status: int, headers: dict[str, str], parts: list[bytes], framing: str, interim: bool, where: list[int]
) -> None:
    """However a well-formed reply is cut into reads, the same status, headers and body come out."""
    lines = [f"HTTP/1.1 {status} Any", *(f"{name}: {value}" for name, value in headers.items())]
    body = b"".join(parts)
    wire_body = body
    if framing == "length":
        lines.append(f"content-length: {len(body)}")
    if framing == "chunked":
        lines.append("transfer-encoding: chunked")
        wire_body = b"".join(b"%x;note=1\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\nx-sum: 1\r\n\r\n"
    announced = b"HTTP/1.1 103 Early Hints\r\nx-early: 1\r\n\r\n" if interim else b""
    wire = announced + "\r\n".join(lines).encode() + b"\r\n\r\n" + wire_body

    parser, reply = parsed(*cut(wire, where), options=PoolOptions())
    complete_before_the_end = reply.complete
    ended = parser.end()

    assert (reply.status, b"".join(reply.parts), reply.complete) == (status, body, True)
    assert {name: reply.headers[name] for name in headers} == headers
    assert "x-early" not in reply.headers
    assert "x-sum" not in reply.headers
    assert (complete_before_the_end, ended) == (framing != "close", framing == "close")
    assert parser.reusable == (framing != "close")


def test_the_rest_can_be_taken_once_all_of_it_is_there() -> None:
    """A body that is complete is taken without waiting, once; of one that is not, nothing is."""
    _, whole = parsed(LENGTH)
    _, part = parsed(LENGTH[:-1])

    assert (whole.rest(), whole.rest()) == (b"abc", b"")
    assert (part.rest(), part.parts) == (None, [b"ab"])


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize("length", [b"", b"content-length: 3\r\n"])
def test_no_body_after(status: int, length: bytes) -> None:
    """Answers that have no body end with their head, even if a length says what it would have been."""
    parser, reply = parsed(b"HTTP/1.1 %d X\r\n%b\r\n" % (status, length))

    assert (reply.status, reply.complete, reply.parts) == (status, True, [])
    assert parser.reusable


def test_no_body_after_head() -> None:
    """The answer to a HEAD ends with its head, and what follows never becomes a body."""
    parser, reply = parsed(LENGTH, bodiless=True)

    assert (reply.status, reply.complete, reply.parts) == (200, True, [])
    assert parser.reply is None


@pytest.mark.parametrize(
    "behind", [b"x", b"H", b"HTTP/1.1 200 OK\r\n", LENGTH, LENGTH + LENGTH, b"\r\n\r\nHTTP/1.1 200 OK\r\nx: y"]
)
def test_bytes_behind_a_reply_spoil_the_connection_only(behind: bytes) -> None:
    """What stands behind a complete reply does not touch it, and no reply can follow on that connection."""
    parser, reply = parsed(LENGTH + behind)

    assert (reply.complete, reply.parts) == (True, [b"abc"])
    assert not parser.reusable


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 200 " + b"x" * 300,
        b"HTTP/1.1 200 OK\r\n" + b"x" * 300,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300 + b"\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"x%d: y\r\n" % number for number in range(6)) + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 20,
        CHUNKED + b"1" * 17 + b"\r\n",
    ],
    ids=["status line", "name", "value", "complete head", "count", "announcements", "size"],
)
@pytest.mark.parametrize("step", [10_000, 7])
def test_nothing_may_be_oversized(wire: bytes, step: int) -> None:
    """Whatever is not body is bounded, in one read or in many."""
    error = refusal(*(wire[start : start + step] for start in range(0, len(wire), step)))

    assert error.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("framing", [b"3;" + b"x" * 300, b"3\r\nabc\r\n0\r\nx: " + b"y" * 300])
def test_framing_may_not_go_on_for_ever(framing: bytes) -> None:
    """Extensions and trailers are bounded over reads; one read is bounded by itself."""
    error = refusal(CHUNKED, *(framing[start : start + 7] for start in range(0, len(framing), 7)))

    assert error.kind is BAD_UPSTREAM_REPLY


def test_a_large_body_is_not_oversized() -> None:
    """The bounds are for what surrounds a body, however the two share a read."""
    body = b"x" * 10_000
    _, reply = parsed(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n" + body)

    assert reply.parts == [body]


def test_many_small_chunks_are_not_oversized() -> None:
    """Framing is bounded between two pieces of a body, not over all of it."""
    wire = [b"1\r\nx\r\n"] * 1000

    _, reply = parsed(CHUNKED, *wire, b"0\r\n\r\n")

    assert b"".join(reply.parts) == b"x" * 1000


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 000 X\r\n\r\n",
        b"HTTP/1.1 099 X\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: a\x00b\r\n\r\n",
        b"HTTP/1.1 200 OK\nx: y\n\n",
        b"HTTP/1.1 200 OK\r\nx: y\r\n folded\r\n\r\n",
    ],
)
def test_what_could_be_read_in_two_ways_is_refused(wire: bytes) -> None:
    """An answer that two readers might understand differently, or that switches protocols, is no answer."""
    assert refusal(wire).kind is BAD_UPSTREAM_REPLY


def test_bytes_without_a_request_are_refused() -> None:
    """What comes while no reply is due belongs to none."""
    with pytest.raises(GatewayError) as caught:
        ReplyParser(SMALL).feed(LENGTH)

    assert caught.value.kind is BAD_UPSTREAM_REPLY
