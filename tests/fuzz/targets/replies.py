"""Whole answers: the bytes of a provider's connection through the pool's parser, and bodies through every codec."""

from __future__ import annotations

from contextlib import suppress

from app.core.errors import GatewayError
from app.providers.pool.options import PoolOptions
from app.providers.pool.parser import ReplyParser
from app.providers.pool.reply import PoolReply
from tests.fuzz.targets.pieces import chosen, cut
from tests.fuzz.targets.target import Target
from tests.providers.conformance.corpus import asked
from tests.providers.conformance.dialects import DIALECTS as CODECS

OPTIONS = PoolOptions(head_max_bytes=2048, headers_max=20)
ASKED = asked()


class _Line:
    """A connection that nothing is asked of."""

    def resume(self) -> None:
        """Do nothing."""

    def drop(self) -> None:
        """Do nothing."""


def one(data: bytes) -> None:
    """Read one answer."""
    (codec, size), raw = chosen(data, 2)
    body = _body(raw, size) if raw[:5] == b"HTTP/" else raw
    if body is not None:
        with suppress(GatewayError):
            CODECS[codec % len(CODECS)].codec().decode(body, ASKED)


def _body(raw: bytes, size: int) -> bytes | None:
    """Return the body of an answer that is complete."""
    parser, reply = ReplyParser(OPTIONS), PoolReply(_Line())
    parser.expect(reply, bodiless=False)
    with suppress(GatewayError):
        for piece in cut(raw, size):
            parser.feed(piece)
            if reply.complete:
                break
        else:
            parser.end()
    if not reply.complete:
        return None
    assert reply.status >= 200
    assert len(reply.headers) <= OPTIONS.headers_max
    return b"".join(reply.parts)


def _seeds() -> list[bytes]:
    bodies = [bytes([index, 9]) + codec.answer(name) for index, codec in enumerate(CODECS) for name in codec.answers()]
    heads = [
        b"content-length: 2\r\n\r\n{}",
        b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        b"a: b\r\n\r\n{}",
    ]
    return [
        *bodies,
        *[b"\0\5HTTP/1.1 200 OK\r\n" + head for head in heads],
        b"\0\5HTTP/1.1 100 C\r\n\r\nHTTP/1.1 204 N\r\n\r\n",
    ]


TARGET = Target(
    "replies",
    one,
    _seeds(),
    (
        (b"\5\1HTTP/1.1 200 OK\r\n", b"a: b\r\n", b"\r\n"),
        (b"\5\1", b"HTTP/1.1 100 C\r\n\r\n", b""),
        (b"\5\x3dHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"1;a=b\r\nx\r\n", b"0\r\n\r\n"),
        (b'\5\0{"choices":[', b'{"message":{"content":"a"}},', b'{"message":{"content":"a"}}]}'),
        (b"\5\0", b"[", b""),
    ),
)
