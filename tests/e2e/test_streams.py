"""How a streamed answer passes: held until it commits, untouched while it runs, broken when it breaks."""

from __future__ import annotations

import re

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import DONE, FINISH, ROLE, STREAM, dies, in_turn, refused, streamed, whole, word
from tests.e2e.support.upstream import Exchange, Script, Upstream
from tests.e2e.support.wire import Wire, connected, dechunked
from tests.support.gateway import GatewayProcess

USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'
REASONING = b'data: {"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}\n\n'
TOOL = b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c","function":{"name":"f"}}]}}]}\n\n'
REFUSAL = b'data: {"choices":[{"index":0,"delta":{"refusal":"No."}}]}\n\n'
FUTURE = b'data: {"choices":{"of":"another kind"}}\n\n'
COMMENT = b": OPENROUTER PROCESSING\n\n"
ERROR = b'data: {"error":{"message":"overloaded","type":"overloaded_error","code":null}}\n\n'


def streamed_answer(http: httpx2.Client, model: str) -> httpx2.Response:
    """Ask for a stream and read it to its end."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], "stream": True}
    return http.post("/v1/chat/completions", json=body)


# --- before the commit point -----------------------------------------------------------------------------------------


def test_nothing_is_said_before_the_provider_says_something(wire: Wire, upstream: Upstream) -> None:
    """Head, role and comments of a provider do not begin the answer: a failure behind them is still a status."""
    upstream.hold("held")
    wire.ask("box/held", {"x-wizard-retries": "0"})
    exchange = upstream.take("held")
    exchange.begin()
    exchange.part(COMMENT + ROLE)
    exchange.part(USAGE)

    exchange.break_off()

    head = wire.head()
    assert (head.status, wire.json(head)["error"]["code"]) == (502, "target_unavailable")


@pytest.mark.parametrize("committing", [word("x"), REASONING, TOOL, REFUSAL, FUTURE, FINISH])
def test_first_visible_event_begins_the_answer(wire: Wire, upstream: Upstream, committing: bytes) -> None:
    """The head comes with the first event that a reader would see, together with what was held back."""
    upstream.hold("held")
    wire.ask("box/held")
    exchange = upstream.take("held")
    exchange.begin()
    exchange.part(ROLE)

    exchange.part(committing)

    head = wire.head()
    assert head.status == 200
    assert head.headers["content-type"].startswith("text/event-stream")
    assert head.headers["cache-control"] == "no-cache, no-transform"
    wire.until(committing)
    exchange.break_off()


def test_a_stream_of_a_chat_is_events_whatever_its_provider_calls_it(http: httpx2.Client, upstream: Upstream) -> None:
    """A server that calls its events octets does not make its clients take them for a file."""

    def play(exchange: Exchange) -> None:
        exchange.begin(media_type="application/octet-stream")
        exchange.part(STREAM)
        exchange.end()

    upstream.on("octets", play)

    body = {"model": "box/octets", "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    answer = http.post("/v1/chat/completions", json=body)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert answer.content == STREAM


@pytest.mark.parametrize(
    "failing",
    [refused(500), refused(503), dies(ROLE), streamed(ROLE), streamed(ROLE, ERROR), streamed(ROLE, DONE)],
)
def test_stream_is_tried_again_before_it_commits(http: httpx2.Client, upstream: Upstream, failing: Script) -> None:
    """Whatever fails before the commit point is tried again, and the client sees the good try only."""
    upstream.on("moody", in_turn(failing, streamed()))

    answer = streamed_answer(http, "box/moody")

    assert (answer.status_code, answer.content) == (200, STREAM)
    assert answer.headers["x-wizard-attempts"] == "2"


def test_stream_that_breaks_before_its_head_is_tried_again(http: httpx2.Client, upstream: Upstream) -> None:
    """A connection that ends without a byte of the answer costs another try, silently so if it had been used before."""
    upstream.on("moody", in_turn(dies(), streamed()))

    answer = streamed_answer(http, "box/moody")

    assert (answer.status_code, answer.content) == (200, STREAM)
    assert len(upstream.received("moody")) == 2


@pytest.mark.parametrize("behind", [ERROR, DONE, b"data: {no JSON\n\n", b""], ids=["error", "done", "junk", "cut"])
def test_a_failure_right_behind_a_word_comes_after_it(wire: Wire, upstream: Upstream, behind: bytes) -> None:
    """How the network cut the stream does not matter: the word commits, also where both come at once."""
    upstream.on("burst", streamed(ROLE + word("one ") + behind))

    wire.ask("box/burst")

    assert wire.head().status == 200
    body, complete = dechunked(wire.rest())
    assert body.startswith(ROLE + word("one ") + b'data: {"error":')
    assert (complete, b"[DONE]" in body) == (False, False)


def test_stream_falls_back_before_it_commits(http: httpx2.Client, upstream: Upstream) -> None:
    """The next target takes over, and its frames are the only ones that the client sees."""
    upstream.on("first", dies(ROLE))
    upstream.on("second", streamed())

    answer = streamed_answer(http, "pair")

    assert (answer.content, answer.headers["x-wizard-fallback"]) == (STREAM, "1")


@pytest.mark.parametrize(("status", "shown"), [(400, 400), (401, 502), (404, 404), (429, 429), (500, 502), (503, 503)])
def test_refused_stream_is_a_status(http: httpx2.Client, upstream: Upstream, status: int, shown: int) -> None:
    """A provider's refusal of a stream is a status of its own and the contract's JSON."""
    upstream.on("mute", refused(status, headers=("retry-after-ms: 1",)))

    answer = streamed_answer(http, "box/mute")

    assert (answer.status_code, answer.headers["content-type"]) == (shown, "application/json")
    assert answer.json()["error"]["source"] == "upstream"


def test_error_in_place_of_a_stream(http: httpx2.Client, upstream: Upstream) -> None:
    """A 200 whose body is a JSON error is an error."""
    body = b'{"error":{"message":"Too long.","type":"invalid_request_error","code":"context_length_exceeded"}}'
    upstream.on("sly", whole(body))

    answer = streamed_answer(http, "box/sly")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "context_too_long")


# --- the stream itself -----------------------------------------------------------------------------------------------


def test_frames_pass_as_they_come(wire: Wire, upstream: Upstream) -> None:
    """Each frame reaches the client while the provider still speaks, unchanged; the end is a proper one."""
    upstream.hold("held")
    wire.ask("box/held")
    exchange = upstream.take("held")
    exchange.begin()

    frames = [word("a"), word("b" * 5000), FUTURE, word("c")]
    for frame in frames:
        exchange.part(frame)
        wire.until(frame)

    exchange.part(FINISH + DONE)
    exchange.end()
    wire.until(DONE + b"\r\n0\r\n\r\n")


def test_only_data_and_comments_are_sent(http: httpx2.Client, upstream: Upstream) -> None:
    """Frames that break SDKs are cleaned or left out: other fields, other line ends, no data."""
    odd = (
        b'event: message\nid: 7\nretry: 10\ndata: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
        b"event: ping\n\n" + COMMENT + b"id: 8\n\n"
        b'data: {"choices":[{"index":0,\r\ndata: "delta":{"content":"b"}}]}\r\n\r\n'
        b'data:{"choices":[{"index":0,"delta":{"content":"c"},"finish_reason":"stop"}]}\n\ndata:[DONE]\n\n'
    )
    upstream.on("odd", streamed(*(odd[i : i + 7] for i in range(0, len(odd), 7))))

    answer = streamed_answer(http, "box/odd")

    frames = answer.text.split("\n\n")
    assert frames.pop() == ""
    assert frames.pop() == "data: [DONE]"
    texts = [msgspec.json.decode(frame.removeprefix("data: "))["choices"][0]["delta"]["content"] for frame in frames]
    assert texts == ["a", "b", "c"]
    assert re.fullmatch(r"(data: [^\r\n]+\n\n)+", answer.text)


def test_keeps_the_connection_for_the_next_call(wire: Wire, upstream: Upstream) -> None:
    """After a good stream the same connection serves the next request."""
    upstream.on("good", streamed())

    for _ in range(2):
        wire.ask("box/good")
        assert wire.head().status == 200
        wire.until(DONE + b"\r\n0\r\n\r\n")


# --- after the commit point ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("onward", "code"),
    [
        (None, "stream_broken"),
        ([], "stream_broken"),
        ([FINISH], "stream_broken"),
        ([DONE], "stream_broken"),
        ([b"data: {\n\n"], "stream_broken"),
        ([b'data: {"choices":[],"x":"\xff"}\n\n'], "stream_broken"),
        ([ERROR], "target_busy"),
    ],
)
def test_broken_stream_is_never_complete(wire: Wire, upstream: Upstream, onward: list[bytes] | None, code: str) -> None:
    """A failure after the commit is one error event; then the connection breaks, without `[DONE]` and last chunk."""
    upstream.hold("frail")
    wire.ask("box/frail")
    exchange = upstream.take("frail")
    exchange.begin()
    exchange.part(word("a"))
    head = wire.head()  # the commit point: what fails in the same breath as the first word would be tried again
    if onward is None:
        exchange.break_off()
    else:
        for part in onward:
            exchange.part(part)
        exchange.end()

    content, ended = dechunked(wire.rest())

    frames = content.split(b"\n\n")
    assert (head.status, head.headers["transfer-encoding"], ended) == (200, "chunked", False)
    assert frames.pop() == b""
    error = msgspec.json.decode(frames.pop().removeprefix(b"data: "))["error"]
    assert (error["code"], error["request_id"]) == (code, head.headers["x-request-id"])
    assert b"[DONE]" not in content
    assert not [frame for frame in frames if b'"error"' in frame]
    assert len(upstream.received("frail")) == 1


def test_broken_stream_is_not_retried(wire: Wire, upstream: Upstream) -> None:
    """What the client has seen is never replayed, neither here nor by the next target."""
    upstream.on("first", dies(ROLE, word("a")))
    upstream.on("second", streamed())
    wire.ask("pair")

    content, _ = dechunked(_body(wire))

    assert content.startswith(ROLE + word("a"))
    assert upstream.received("second") == []


def test_broken_stream_is_logged(wire: Wire, upstream: Upstream, gateway: GatewayProcess) -> None:
    """The log and the metrics tell of a failed call, although its status was 200."""
    upstream.on("frail", dies(word("a")))
    before = gateway.metric("wizard_requests_total", provider="box", model="frail", status="502")
    wire.ask("box/frail", {"x-request-id": "broken-1"})
    wire.rest()

    line = gateway.wait_for_log("request_failed", request_id="broken-1")

    assert (line["code"], line["kind"], line["provider"]) == ("stream_broken", "stream", "box")
    assert gateway.metric("wizard_requests_total", provider="box", model="frail", status="502") == before + 1


# --- comments --------------------------------------------------------------------------------------------------------


def test_silence_is_filled_with_comments(impatient: GatewayProcess, upstream: Upstream) -> None:
    """While a stream that has begun is silent, comments come; its own frames stay whole and in order."""
    upstream.hold("held")
    with connected(impatient.port) as wire:
        wire.ask("box/held")
        exchange = upstream.take("held")
        exchange.begin()
        exchange.part(word("a"))
        for _ in range(3):
            wire.until(b": keep-alive\n\n\r\n")
        exchange.part(word("b") + FINISH + DONE)
        exchange.end()
        wire.until(DONE + b"\r\n0\r\n\r\n")


def test_no_comments_before_the_commit(impatient: GatewayProcess, upstream: Upstream) -> None:
    """A comment would commit the status, so none is sent while the provider has said nothing."""
    upstream.hold("held")
    with connected(impatient.port) as wire:
        wire.ask("box/held", {"x-wizard-timeout-ms": "2000"})  # forty times the keep-alive interval
        exchange = upstream.take("held")
        exchange.begin()
        exchange.part(ROLE)

        head = wire.head()

    assert head.status == 504
    assert exchange.peer_left()


def _body(wire: Wire) -> bytes:
    wire.head()
    return wire.rest()
