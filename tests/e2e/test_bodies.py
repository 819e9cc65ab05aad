"""A body that is too large is refused as early as possible, however it is sent."""

from __future__ import annotations

from tests.e2e.support.wire import Wire, request_head
from tests.support.gateway import GatewayProcess

CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}
MAX_BYTES = 200_000  # as configured
PIECE = b"x" * 10_000


def test_declared_length_is_enough_to_refuse(wire: Wire) -> None:
    """The answer comes although not one byte of the body was sent."""
    wire.send(request_head("POST", CHAT, {**JSON, "content-length": str(MAX_BYTES + 1)}))

    head = wire.head()

    error = wire.json(head)["error"]
    assert (head.status, error["code"]) == (413, "body_too_large")
    assert head.headers["x-should-retry"] == "false"
    assert head.headers["x-request-id"] == error["request_id"]


def test_nothing_is_asked_for_that_would_be_refused(wire: Wire) -> None:
    """A client that asks before it sends a large body is refused instead of invited."""
    wire.send(request_head("POST", CHAT, {**JSON, "content-length": "99999999", "expect": "100-continue"}))

    head = wire.head()

    assert head.status == 413


def test_absurd_length(wire: Wire) -> None:
    """A length beyond all measure is too large, and nothing worse."""
    wire.send(request_head("POST", CHAT, {**JSON, "content-length": "9" * 18}))

    head = wire.head()

    assert head.status == 413


def test_body_of_unknown_length_is_counted(wire: Wire) -> None:
    """A chunked body is refused once it passes the bound, before its end."""
    wire.send(request_head("POST", CHAT, {**JSON, "transfer-encoding": "chunked"}))
    for _ in range(MAX_BYTES // len(PIECE) + 1):
        wire.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))

    head = wire.head()

    assert (head.status, wire.json(head)["error"]["code"]) == (413, "body_too_large")


def test_rest_of_a_refused_body_is_no_request(wire: Wire) -> None:
    """What a client still sends of a refused body is never taken for its next request."""
    smuggled = request_head("GET", "/livez")
    wire.send(request_head("POST", CHAT, {**JSON, "content-length": str(MAX_BYTES + 1)}))
    wire.json(wire.head())

    wire.send(smuggled + b"x" * (MAX_BYTES + 1 - len(smuggled)))
    wire.send(request_head("GET", "/readyz"))

    answer = wire.rest_or_head()
    assert answer is None or "config_digest" in wire.json(answer)


def test_largest_body(wire: Wire) -> None:
    """A body of exactly the bound is read and forwarded."""
    body = b'{"model":"sim/echo","messages":[{"role":"user","content":"%b"}]}'
    body %= b"x" * (MAX_BYTES - len(body) + 2)
    assert len(body) == MAX_BYTES

    wire.send(request_head("POST", CHAT, {**JSON, "content-length": str(len(body))}) + body)

    head = wire.head()
    assert head.status == 200
    assert len(wire.json(head)["choices"][0]["message"]["content"]) > MAX_BYTES - 100


def test_chunked_body(wire: Wire) -> None:
    """A body in small pieces is put together."""
    body = b'{"model":"sim/echo","messages":[{"role":"user","content":"hi"}]}'
    wire.send(request_head("POST", CHAT, {**JSON, "transfer-encoding": "chunked"}))

    for byte in body:
        wire.send(b"1\r\n%b\r\n" % bytes([byte]))
    wire.send(b"0\r\n\r\n")

    head = wire.head()
    assert wire.json(head)["choices"][0]["message"]["content"] == "hi"


def test_client_that_leaves_in_mid_body(wire: Wire, gateway: GatewayProcess) -> None:
    """A client that never sends the rest of its body leaves no trace behind."""
    wire.send(request_head("POST", CHAT, {**JSON, "content-length": "1000"}) + b"{")

    wire.close()

    gateway.wait_for_metric("wizard_active_requests", 0)
    assert gateway.get("/livez").status_code == 200


def test_requests_in_one_go(wire: Wire) -> None:
    """Requests that are sent without waiting for answers are answered in their order."""
    bodies = [
        b'{"model":"sim/echo?first_token_s=0.2","messages":[{"role":"user","content":"slow"}]}',
        b'{"model":"sim/echo","messages":[{"role":"user","content":"fast"}]}',
    ]

    wire.send(
        b"".join(request_head("POST", CHAT, {**JSON, "content-length": str(len(body))}) + body for body in bodies)
    )

    answers = [wire.json(wire.head())["choices"][0]["message"]["content"] for _ in bodies]
    assert answers == ["slow", "fast"]
