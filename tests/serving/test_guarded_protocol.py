"""Hostile and broken bytes in front of a running gateway: each is refused in JSON, or its connection is closed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.e2e.support.wire import Head, Wire, connected, request_head
from tests.support.gateway import GatewayProcess, Start, eventually, running

CONFIG: dict[str, Any] = {
    "server": {"head_max_bytes": 4096, "headers_max": 20, "body_max_bytes": 100_000},
    "providers": {"sim": {"kind": "sim"}},
}
BODY = b'{"model":"sim/echo","messages":[{"role":"user","content":"hi"}]}'
JSON = {"content-type": "application/json"}
POST = b"POST /v1/chat/completions HTTP/1.1\r\n"


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway with small bounds."""
    with running(Start(CONFIG)) as process:
        yield process


@pytest.fixture(scope="module")
def hasty() -> Iterator[GatewayProcess]:
    """Run one that gives a head half a second."""
    with running(Start({**CONFIG, "server": {"head_timeout_s": 0.5}})) as process:
        yield process


@pytest.fixture
def wire(gateway: GatewayProcess) -> Iterator[Wire]:
    """Connect to the first."""
    with connected(gateway.port) as connection:
        yield connection


@pytest.fixture
def brief(hasty: GatewayProcess) -> Iterator[Wire]:
    """Connect to the second."""
    with connected(hasty.port) as connection:
        yield connection


def refusal(wire: Wire) -> tuple[int, str]:
    """Read a refusal, and see that the connection is closed behind it."""
    head = wire.head()
    error = wire.json(head)["error"]
    assert head.headers["content-type"] == "application/json"
    assert head.headers["connection"] == "close"
    assert head.headers["x-request-id"].startswith("req_")
    assert wire.rest() == b""
    return head.status, error["code"]


def answered(wire: Wire) -> Head:
    """Read an answer with a body of JSON."""
    head = wire.head()
    wire.json(head)
    return head


def well(gateway: GatewayProcess) -> None:
    """See that others are served as if nothing had happened."""
    with connected(gateway.port) as other:
        other.send(request_head("POST", "/v1/chat/completions", {**JSON, "content-length": str(len(BODY))}) + BODY)
        assert other.head().status == 200


MALFORMED = {
    "no HTTP": b"hello there\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "version 2": b"GET /livez HTTP/2.0\r\nhost: a\r\n\r\n",
    "no host": POST + b"content-length: 0\r\n\r\n",
    "two hosts": b"GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "empty host": b"GET /livez HTTP/1.1\r\nhost: \r\n\r\n",
    "host with a path": b"GET /livez HTTP/1.1\r\nhost: a/b\r\n\r\n",
    "host with a user": b"GET /livez HTTP/1.1\r\nhost: a@b\r\n\r\n",
    "two keys": POST + b"host: a\r\nauthorization: Bearer x\r\nauthorization: Bearer y\r\n\r\n",
    "two types": POST + b"host: a\r\ncontent-type: text/plain\r\ncontent-type: application/json\r\n\r\n",
    "length and chunked": POST + b"host: a\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"host: a\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef",
    "negative length": POST + b"host: a\r\ncontent-length: -1\r\n\r\n",
    "length in hex": POST + b"host: a\r\ncontent-length: 0x5\r\n\r\nabcde",
    "folded header": POST + b"host: a\r\nx: a\r\n b\r\n\r\n",
    "space before colon": POST + b"host : a\r\n\r\n",
    "NUL in a header": b"GET /livez HTTP/1.1\r\nhost: a\r\nx: a\x00b\r\n\r\n",
    "CR in a header": b"GET /livez HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n",
    "bad chunk": POST + b"host: a\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "unknown coding": POST + b"host: a\r\ntransfer-encoding: gzip\r\n\r\nabc",
}


@pytest.mark.parametrize("sent", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_http_is_refused(gateway: GatewayProcess, wire: Wire, sent: bytes) -> None:
    """Nothing of it becomes a call, and nothing behind it is read."""
    wire.send(sent + request_head("GET", "/livez"))

    status, code = refusal(wire)

    assert (status, code) == (400, "invalid_http")
    well(gateway)


@pytest.mark.parametrize(
    "head",
    [
        request_head("GET", "/livez", {"x": "y" * 5000}),
        request_head("GET", "/livez?" + "y" * 5000),
        request_head("GET", "/livez", {f"x{n}": "y" for n in range(30)}),
        b"GET /livez HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 9000,
    ],
    ids=["long header", "long path", "many headers", "endless header"],
)
@pytest.mark.parametrize("at_once", [1 << 20, 500], ids=["whole", "in pieces"])
def test_too_large_a_head_is_refused(gateway: GatewayProcess, wire: Wire, head: bytes, at_once: int) -> None:
    """However it comes, and before it has come whole."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for start in range(0, len(head), at_once):
            wire.send(head[start : start + at_once])
            threading.Event().wait(0.005)

    assert refusal(wire) == (431, "head_too_large")
    well(gateway)


def test_requests_in_one_block_are_no_large_head(wire: Wire) -> None:
    """A client that sends requests ahead may do so with more bytes than one head may have; the last one comes later."""
    asking = request_head("GET", "/livez", {"x": "y" * 500})

    wire.send(asking * 12 + asking[:20])
    heads = [answered(wire) for _ in range(12)]
    wire.send(asking[20:])
    heads.append(answered(wire))

    assert [head.status for head in heads] == [200] * 13


def test_a_head_that_does_not_come_is_not_waited_for(brief: Wire) -> None:
    """A client that sends a byte now and then holds nothing for long."""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for byte in b"GET /live":
            brief.send(bytes([byte]))
            threading.Event().wait(0.02)

    assert refusal(brief) == (408, "request_too_slow")


def test_a_connection_without_a_request_is_closed(brief: Wire) -> None:
    """There is nobody to tell."""
    assert brief.rest() == b""


def test_a_connection_that_rests_between_requests_is_kept(brief: Wire) -> None:
    """The time of a head begins with its first byte."""
    for _ in range(2):
        brief.send(request_head("GET", "/livez"))
        head = brief.head()
        brief.json(head)
        assert head.status == 200
        threading.Event().wait(0.8)


def test_a_slow_body_is_given_up() -> None:
    """One that comes at a trickle; one that waits for nobody but us is not to blame."""
    config = {**CONFIG, "server": {"body_min_bytes_per_s": 1000}}
    with running(Start(config)) as gateway, connected(gateway.port) as wire:
        wire.send(request_head("POST", "/v1/chat/completions", {**JSON, "content-length": "5000"}) + b"{")

        assert refusal(wire) == (408, "request_too_slow")
        well(gateway)


def test_only_known_hosts_are_answered() -> None:
    """A name that is not ours is somebody else's page, or a wrong entry in the DNS."""
    config = {**CONFIG, "server": {"hosts": ["llm.example.com", "127.0.0.1", "::1"]}}
    asked = [
        b"llm.example.com",
        b"LLM.example.com:8080",
        b"127.0.0.1",
        b"[::1]:80",
        b"evil.example.com",
        b"llm.example",
    ]
    found = []
    with running(Start(config)) as gateway:
        for host in asked:
            with connected(gateway.port) as wire:
                wire.send(b"GET /livez HTTP/1.1\r\nhost: " + host + b"\r\n\r\n")
                found.append(wire.head().status)

    assert found == [200, 200, 200, 200, 421, 421]


def test_one_address_has_so_many_connections() -> None:
    """The next one is told when to come back, and a place that is free again can be taken."""
    config = {**CONFIG, "server": {"connections_per_address": 2}}
    with running(Start(config)) as gateway, connected(gateway.port) as one:
        one.send(request_head("GET", "/livez"))
        one.json(one.head())
        with connected(gateway.port) as two:
            two.send(request_head("GET", "/livez"))
            two.json(two.head())
            with connected(gateway.port) as three:
                refused = refusal(three)
        eventually(lambda: _gets_in(gateway), "the place never became free")

    assert refused == (503, "overloaded")


def _gets_in(gateway: GatewayProcess) -> bool:
    with connected(gateway.port) as wire:
        wire.send(request_head("GET", "/livez"))
        head = wire.rest_or_head()
    return head is not None and head.status == 200


def test_fields_behind_a_body_are_no_headers(wire: Wire) -> None:
    """What stands behind a chunked body was judged by nobody: it neither adds a header nor replaces one."""
    head = request_head(
        "POST", "/v1/chat/completions", {**JSON, "transfer-encoding": "chunked", "x-request-id": "mine"}
    )
    trailers = b"x-request-id: other\r\nhost: evil\r\nauthorization: Bearer x\r\ncontent-type: text/plain\r\n"

    wire.send(head + b"%x\r\n%b\r\n0\r\n%b\r\n" % (len(BODY), BODY, trailers))

    answer = wire.head()
    assert (answer.status, answer.headers["x-request-id"]) == (200, "mine")


def test_http_1_0_needs_no_host(wire: Wire) -> None:
    """Old health checks have none."""
    wire.send(b"GET /livez HTTP/1.0\r\n\r\n")

    assert wire.head().status == 200


def test_nothing_is_said_in_the_middle_of_an_answer(gateway: GatewayProcess, wire: Wire) -> None:
    """A broken request that was sent ahead ends the connection: its refusal would be taken for a part of the stream."""
    stream = BODY.replace(b"sim/echo", b"sim/words?words=500&tokens_per_s=50").replace(b"{", b'{"stream":true,', 1)
    wire.send(request_head("POST", "/v1/chat/completions", {**JSON, "content-length": str(len(stream))}) + stream)
    wire.until(b"data: ")

    wire.send(request_head("GET", "/livez") + b"hello there\r\n\r\n")

    assert b"HTTP/1.1 400" not in wire.rest()
    well(gateway)


def test_hundreds_of_slow_clients_keep_nobody_waiting(hasty: GatewayProcess) -> None:
    """Each holds a connection for half a second and nothing else; calls go on meanwhile."""
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(connected(hasty.port)) for _ in range(300)]
        for each in slow:
            each.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n")
        for _ in range(20):
            well(hasty)
        answers = [refusal(each) for each in slow]

    assert set(answers) == {(408, "request_too_slow")}


def test_bodies_that_are_no_json_never_become_a_500(gateway: GatewayProcess) -> None:
    """The usual corpus of hard JSON: refused with a code of the table."""
    hard = [
        b"[" * 100_000, b'{"a":' * 15_000, b"\xff\xfe{\x00}\x00", b'{"model":"sim/echo","messages":NaN}', b"1e999999",
        b'{"model":"\\ud800","messages":[]}', b'{"model":"sim/echo","messages":[{"role":"user","content":"\\ud83d"}]}',
        b'{"model":"sim/echo","messages":[]}{"model":"x"}', b"-" * 1000, b'{"model":"sim/echo","messages":[],}', b"nul",
        b'{"\\u0000":1}', b'"' + b"a" * 90_000, b"{}" + b" " * 90_000, b'{"model":123456789012345678901234567890}',
    ]  # fmt: skip
    for body in hard:
        with connected(gateway.port) as wire:
            wire.send(request_head("POST", "/v1/chat/completions", {**JSON, "content-length": str(len(body))}) + body)
            head = wire.head()
            error = msgspec.json.decode(msgspec.json.encode(wire.json(head)["error"]))
        assert (head.status, error["source"]) == (400, "gateway"), body[:40]
