"""Clients of HTTP/1.0 get bodies that they can read, and can tell a broken stream from one that is complete."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import msgspec
import pytest

from tests.e2e.support.wire import LIMIT_S
from tests.support.gateway import GatewayProcess, Start, running


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}, "retry": {"max_attempts": 1}})) as process:
        yield process


def asked(gateway: GatewayProcess, model: str, *, stream: bool) -> tuple[bytes, bytes, bool]:
    """Ask by HTTP/1.0; return the head, the body, and whether the connection was ended in order."""
    body = msgspec.json.encode({"model": model, "messages": [{"role": "user", "content": "a b c"}], "stream": stream})
    fields = b"content-type: application/json\r\nconnection: keep-alive\r\nexpect: 100-continue\r\n"
    request = b"POST /v1/chat/completions HTTP/1.0\r\n%bcontent-length: %d\r\n\r\n%b" % (fields, len(body), body)
    received, orderly = b"", True
    with socket.create_connection(("127.0.0.1", gateway.port), LIMIT_S) as connection:
        connection.sendall(request)
        try:
            while data := connection.recv(65_536):
                received += data
        except ConnectionResetError:
            orderly = False
    head, _, content = received.partition(b"\r\n\r\n")
    return head.lower(), content, orderly


def test_a_stream_is_ended_by_its_connection(gateway: GatewayProcess) -> None:
    """No chunks, which HTTP/1.0 does not know; the connection ends in order behind the last event."""
    head, body, orderly = asked(gateway, "sim/echo", stream=True)

    assert head.startswith(b"http/1.1 200 ok")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.startswith(b"data: {")
    assert body.endswith(b"data: [DONE]\n\n")
    assert orderly


def test_a_broken_stream_is_reset(gateway: GatewayProcess) -> None:
    """The error event is the last one, and then the connection breaks where a complete stream's would end."""
    head, body, orderly = asked(gateway, "sim/words?words=5&die_after=2", stream=True)

    assert head.startswith(b"http/1.1 200 ok")
    assert b'data: {"error":' in body.splitlines()[-2]
    assert b"[DONE]" not in body
    assert not orderly


def test_a_whole_answer_tells_its_length(gateway: GatewayProcess) -> None:
    """An answer of known length is what it is for HTTP/1.1."""
    head, body, orderly = asked(gateway, "sim/echo", stream=False)

    assert f"content-length: {len(body)}".encode() in head
    assert b"transfer-encoding" not in head
    assert msgspec.json.decode(body)["choices"]
    assert orderly
