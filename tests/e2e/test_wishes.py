"""What request headers ask for, and what response headers tell."""

from __future__ import annotations

import httpx2
import pytest

from tests.e2e.support.answers import in_turn, refused, whole
from tests.e2e.support.upstream import Upstream
from tests.e2e.support.wire import Wire, request_head

CHAT = "/v1/chat/completions"


def ask(http: httpx2.Client, model: str, **headers: str) -> httpx2.Response:
    """Send a chat request with these `x-wizard-*` headers."""
    sent = {f"x-wizard-{name.replace('_', '-')}": value for name, value in headers.items()}
    return http.post(CHAT, json={"model": model, "messages": [{"role": "user", "content": "hi"}]}, headers=sent)


def test_timeout(http: httpx2.Client, upstream: Upstream) -> None:
    """`x-wizard-timeout-ms` ends the call, also one that is waiting for the pause before its next try."""
    upstream.on("tired", refused(503, headers=("retry-after: 30",)))

    silent = ask(http, "sim/echo?hang=1", timeout_ms="100")
    tired = ask(http, "box/tired", timeout_ms="20000")

    assert (silent.status_code, silent.json()["error"]["code"]) == (504, "timeout_total")
    assert silent.json()["error"]["source"] == "gateway"
    assert tired.json()["error"]["code"] == "target_busy"
    assert len(upstream.received("tired")) == 1


def test_timeout_of_a_stream_before_its_begin(http: httpx2.Client) -> None:
    """A stream that has said nothing yet ends with a status."""
    body = {"model": "sim/echo?stall_after=0", "messages": [{"role": "user", "content": "a b c"}], "stream": True}

    answer = http.post(CHAT, json=body, headers={"x-wizard-timeout-ms": "200"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout_total")


def test_timeout_of_a_stream_in_the_middle(wire: Wire) -> None:
    """A stream that runs out of time after it has begun says so in its last event."""
    wire.ask("sim/echo?stall_after=1", {"x-wizard-timeout-ms": "1500"})

    head = wire.head()

    assert head.status == 200
    assert b'"code":"timeout_total"' in wire.rest()


@pytest.mark.parametrize(("retries", "tries"), [("0", 1), ("1", 2), ("2", 3), ("4", 5)])
def test_retries(http: httpx2.Client, upstream: Upstream, retries: str, tries: int) -> None:
    """`x-wizard-retries` is how often a failed try is repeated."""
    upstream.on("broken", refused(500))

    answer = ask(http, "box/broken", retries=retries)

    assert len(upstream.received("broken")) == tries
    assert answer.headers["x-wizard-attempts"] == str(tries)


def test_fallback_off(http: httpx2.Client, upstream: Upstream) -> None:
    """`x-wizard-fallback: off` stays with the first target."""
    upstream.on("first", refused(500))
    upstream.on("second", whole())

    off = ask(http, "pair", fallback="off")
    on = ask(http, "pair")

    assert (off.status_code, off.headers["x-wizard-fallback"], off.headers["x-wizard-model"]) == (502, "0", "first")
    assert (on.status_code, on.headers["x-wizard-fallback"], on.headers["x-wizard-model"]) == (200, "1", "second")


def test_error_lists_what_was_tried(http: httpx2.Client, upstream: Upstream) -> None:
    """When every target has failed, the error says how each of them did."""
    upstream.on("first", refused(429, headers=("retry-after-ms: 1",)))
    upstream.on("second", refused(500))

    error = ask(http, "pair").json()["error"]

    tried = [(attempt["target"], attempt["code"]) for attempt in error["attempts"]]
    assert tried == [("box/first", "target_rate_limited"), ("box/second", "target_failed")]


def test_provider_that_is_not_there(http: httpx2.Client) -> None:
    """A refused connection is a 502 that names the provider."""
    answer = ask(http, "closed/any", retries="0")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["provider"]) == (502, "target_unavailable", "closed")
    assert answer.headers["x-should-retry"] == "true"


@pytest.mark.parametrize(("wait_s", "told"), [("30", "true"), ("60", "true"), ("61", "false")])
def test_long_waits_are_not_for_sdks(http: httpx2.Client, upstream: Upstream, wait_s: str, told: str) -> None:
    """A wait of more than a minute is told, but not left to the client's own retries."""
    upstream.on("busy", refused(429, headers=(f"retry-after: {wait_s}",)))

    answer = ask(http, "box/busy", timeout_ms="5000")

    assert len(upstream.received("busy")) == 1
    assert (answer.headers["retry-after"], answer.headers["x-should-retry"]) == (wait_s, told)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("timeout-ms", "0"), ("timeout-ms", "-1"), ("timeout-ms", "1.5"), ("timeout-ms", "soon"), ("timeout-ms", ""),
        ("timeout-ms", "9" * 10), ("retries", "11"), ("retries", "-1"), ("retries", "٣"), ("fallback", "no"),
    ],
)  # fmt: skip
def test_wrong_wishes(http: httpx2.Client, name: str, value: str) -> None:
    """A wish that cannot be understood is refused, not guessed."""
    header = f"x-wizard-{name}"

    answer = http.post(
        CHAT,
        json={"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}]},
        headers=[(header.encode(), value.encode())],
    )

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_request", header)


@pytest.mark.parametrize("given", ["a", "req_01-AB.c:d", "x" * 128])
def test_sane_request_id_is_kept(http: httpx2.Client, given: str) -> None:
    """The caller's own request id is used where it is harmless, on every route."""
    answers = [
        http.get("/livez", headers={"x-request-id": given}),
        http.get("/nothing", headers={"x-request-id": given}),
        http.post(CHAT, content=b"", headers={"x-request-id": given}),
        http.post(CHAT, json={"model": "sim/echo", "messages": [{"role": "user"}]}, headers={"x-request-id": given}),
    ]

    assert [answer.headers["x-request-id"] for answer in answers] == [given] * 4


@pytest.mark.parametrize("given", [b"", b"two words", b"x" * 129, b"<script>", b"\xe9t\xe9", b'{"a":1}', b"a\tb"])
def test_other_request_ids_are_replaced(wire: Wire, given: bytes) -> None:
    """A request id that could harm a log or a header is replaced."""
    wire.send(request_head("GET", "/livez").removesuffix(b"\r\n") + b"x-request-id: " + given + b"\r\n\r\n")

    head = wire.head()

    assert head.headers["x-request-id"].startswith("req_")
    assert len(head.headers["x-request-id"]) == 28


def test_answer_headers(http: httpx2.Client, upstream: Upstream) -> None:
    """An answer tells where it comes from and what the gateway added."""
    upstream.on("moody", in_turn(refused(500), whole()))

    answer = ask(http, "box/moody")

    told = {name: answer.headers[f"x-wizard-{name}"] for name in ("provider", "model", "attempts", "fallback")}
    assert told == {"provider": "box", "model": "moody", "attempts": "2", "fallback": "0"}
    assert float(answer.headers["x-wizard-overhead-ms"]) >= 0


@pytest.mark.parametrize("path", [CHAT, "/v1/messages"])
def test_answer_headers_of_a_failure(http: httpx2.Client, upstream: Upstream, path: str) -> None:
    """A refusal of a provider tells the same as an answer of it would."""
    upstream.on("picky", refused(400))
    body = {"model": "box/picky", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 5}

    answer = http.post(path, json=body)

    told = {name: answer.headers[f"x-wizard-{name}"] for name in ("provider", "model", "attempts", "fallback", "cache")}
    assert answer.status_code == 400
    assert told == {"provider": "box", "model": "picky", "attempts": "1", "fallback": "0", "cache": "bypass"}
    assert float(answer.headers["x-wizard-overhead-ms"]) >= 0
