"""Redaction in a running gateway: what the provider sees, what the caller sees, and what nobody else ever does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import DONE, FINISH, ROLE, streamed, whole, word
from tests.e2e.support.upstream import Exchange, Script, Upstream
from tests.e2e.support.wire import connected, dechunked
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

MAIL, CARD, SECRET = "canary.anna@example.com", "4111 1111 1111 1111", 'sk-proj-canary7f3Kd92mQx81Lz"'
SECRETS = (MAIL, CARD, SECRET.rstrip('"'))
CALL = {
    "role": "assistant",
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": f'{{"to":"{MAIL}"}}'}}],
}
TOOL = {"type": "function", "function": {"name": "f", "description": MAIL}}
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that redacts."""
    target = {"targets": [{"provider": "acme", "model": "m"}]}
    config = {
        "providers": {"acme": {"kind": "openai", "base_url": upstream.url}},
        "models": dict.fromkeys(("masked", "strict", "tidy"), target),
        "retry": {"max_attempts": 1},
        "logging": {"level": "debug"},
        "redaction": {
            "enabled": True,
            "patterns": [{"name": "ticket", "pattern": "TCK-[0-9]{4}"}],
            "allow": ["support@example.com"],
            "routes": {
                "masked": {"action": "mask"},
                "strict": {"actions": {"credit_card": "block"}},
                "tidy": {"output": {"enabled": True, "actions": {"ssn": "block"}}},
            },
        },
    }
    with running(Start(config)) as process:
        yield process


def ask(gateway: GatewayProcess, model: str, text: str, **fields: Any) -> httpx2.Response:  # noqa: ANN401 - JSON
    """Send a chat request."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], **fields}
    return httpx2.post(f"{gateway.url}/v1/chat/completions", json=body, **LOCAL)


def echo(exchange: Exchange) -> None:
    """Answer with the text of the last message; a stream in pieces of three characters."""
    body = msgspec.json.decode(exchange.request.body)
    text = body["messages"][-1]["content"]
    if not body.get("stream"):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        exchange.answer(msgspec.json.encode({"id": "c1", "object": "chat.completion", "choices": [choice]}))
        return
    exchange.begin()
    exchange.part(ROLE)
    for start in range(0, len(text), 3):
        exchange.part(word(msgspec.json.encode(text[start : start + 3])[1:-1].decode()))
    exchange.part(FINISH + DONE)
    exchange.end()


def said(answer: httpx2.Response) -> str:
    """Return the text of an answer, whole or streamed."""
    assert answer.status_code == 200, answer.text
    if answer.headers["content-type"].startswith("application/json"):
        text: str = answer.json()["choices"][0]["message"]["content"]
        return text
    frames = [msgspec.json.decode(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert answer.text.endswith("data: [DONE]\n\n")
    return "".join(choice["delta"].get("content") or "" for frame in frames for choice in frame["choices"])


@both_ways
def test_the_provider_sees_placeholders_and_the_caller_does_not(
    gateway: GatewayProcess, upstream: Upstream, stream: bool
) -> None:
    """Whatever the provider repeats comes back as the caller wrote it, however it is cut."""
    upstream.on("m", echo)
    text = f"{MAIL}, {CARD}; TCK-1234 {SECRET} and again {MAIL}, not support@example.com"

    answer = ask(gateway, "acme/m", text, stream=stream)

    assert said(answer) == text
    (received,) = upstream.received("m")
    content = msgspec.json.decode(received.body)["messages"][0]["content"]
    assert content == '[EMAIL_1], [CREDIT_CARD_1]; [TICKET_1] [SECRET_1]" and again [EMAIL_1], not support@example.com'


@both_ways
def test_arguments_of_tools_stay_json(gateway: GatewayProcess, upstream: Upstream, stream: bool) -> None:
    """What comes back into them is escaped, in pieces as well."""
    password = 'password: "pa55\\word"'
    pieces = ['{"pass":"[SEC', 'RET_1]"', "}"]
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "login", "arguments": "".join(pieces)}}
    chunks = [
        {"choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}}]}
        for piece in pieces
    ]
    frames = [b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in chunks]
    body = msgspec.json.encode({"choices": [{"index": 0, "message": {"tool_calls": [call]}, "finish_reason": "stop"}]})
    upstream.on("m", streamed(ROLE, *frames, FINISH + DONE) if stream else whole(body))

    answer = ask(gateway, "acme/m", password, stream=stream)

    if stream:
        found = [msgspec.json.decode(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
        calls = [each for frame in found for each in frame["choices"][0]["delta"].get("tool_calls", ())]
        arguments = "".join(each["function"]["arguments"] for each in calls)
    else:
        arguments = answer.json()["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"]
    sent = msgspec.json.decode(upstream.received("m")[0].body)["messages"][0]["content"]
    restored = msgspec.json.decode(arguments)["pass"]
    assert sent.replace("[SECRET_1]", restored) == password


def test_masks_do_not_come_back(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A route has actions of its own."""
    upstream.on("m", echo)

    assert said(ask(gateway, "masked", f"to {MAIL}")) == "to [EMAIL]"


@both_ways
def test_a_blocked_request_reaches_nobody(gateway: GatewayProcess, upstream: Upstream, stream: bool) -> None:
    """It is refused with the field and the detector, and without the value."""
    upstream.on("m", echo)

    answer = ask(gateway, "strict", f"{MAIL} {CARD}", stream=stream)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "content_blocked", "messages[0].content")
    assert "'credit_card'" in error["message"]
    assert not any(secret in answer.text for secret in SECRETS)
    assert upstream.received("m") == []


@both_ways
def test_answers_are_redacted(gateway: GatewayProcess, upstream: Upstream, stream: bool) -> None:
    """What the model makes up goes, what the caller said stays."""
    text = f"{MAIL} knows bob"
    tail = "bob@example.org, call 555-123-4567 now"

    def play(exchange: Exchange) -> None:
        given = msgspec.json.decode(exchange.request.body)["messages"][-1]["content"].removesuffix("bob") + tail
        answer: Script = whole(
            msgspec.json.encode({"choices": [{"message": {"content": given}, "finish_reason": "stop"}]})
        )
        pieces = [word(given[start : start + 4]) for start in range(0, len(given), 4)]
        (streamed(ROLE, *pieces, FINISH + DONE) if stream else answer)(exchange)

    upstream.on("m", play)

    assert said(ask(gateway, "tidy", text, stream=stream)) == f"{MAIL} knows [EMAIL], call [PHONE] now"


def test_a_blocked_answer_ends_in_an_error_event(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The stream is broken off before any part of what must not be shown."""
    upstream.on("m", streamed(ROLE, word("it is "), word("123-4"), word("5-6789 "), word("so"), FINISH + DONE))

    with connected(gateway.port) as wire:
        wire.ask("tidy")
        head = wire.head()
        shown, ended = dechunked(wire.rest())

    assert (head.status, ended, b"123" in shown) == (200, False, False)
    assert b"content_blocked" in shown.splitlines()[-2]


@pytest.mark.parametrize(
    "body",
    [
        {"prompt": f"to {MAIL}", "system": f"from {CARD}"},
        {"messages": [{"role": "user", "content": [{"type": "text", "text": MAIL}], "name": CARD}]},
        {"messages": [{"role": "user", "content": "x"}], "user": MAIL, "metadata": {"a": SECRET}},
        {"messages": [{"role": "user", "content": "x"}], "tools": [TOOL]},
        {"messages": [CALL, {"role": "tool", "tool_call_id": "c", "content": f'{{"mail":"{MAIL}"}}'}], "stop": [CARD]},
    ],
)  # fmt: skip
def test_no_byte_of_it_leaves(gateway: GatewayProcess, upstream: Upstream, body: Mapping[str, object]) -> None:
    """From any field, by either endpoint that takes it."""
    upstream.on("m", whole())
    paths = ["/v1/generate"] if "prompt" in body else ["/v1/generate", "/v1/chat/completions"]

    for path in paths:
        answer = httpx2.post(f"{gateway.url}{path}", json={"model": "acme/m", **body}, **LOCAL)
        assert answer.status_code == 200, answer.text

    for received in upstream.received("m"):
        seen = received.body.decode() + str(received.headers) + received.line
        assert not any(secret in seen for secret in SECRETS)


PLAIN = [
    ("embeddings", {"input": [f"about {MAIL}", CARD]}, {"data": [{"embedding": [0.1], "index": 0}]}, {}),
    ("moderations", {"input": MAIL}, {"results": [{"flagged": False}]}, {}),
    ("completions", {"prompt": f"to {MAIL}"}, {"choices": [{"text": "to [EMAIL_1]", "finish_reason": "stop"}]}, {}),
    (
        "rerank",
        {"query": MAIL, "documents": ["x", {"text": CARD}]},
        {"results": [{"index": 0, "relevance_score": 0.5, "document": {"text": "[CREDIT_CARD_1]"}}]},
        {"results": [{"index": 0, "relevance_score": 0.5, "document": {"text": CARD}}]},
    ),
    ("images/generations", {"prompt": f"a card for {MAIL}"}, {"data": [{"revised_prompt": "for [EMAIL_1]"}]}, {}),
]


@pytest.mark.parametrize(("path", "body", "said_upstream", "said_here"), PLAIN, ids=[case[0] for case in PLAIN])
def test_other_operations(
    gateway: GatewayProcess,
    upstream: Upstream,
    path: str,
    body: dict[str, Any],
    said_upstream: object,
    said_here: object,
) -> None:
    """Their input is redacted, and what they repeat of it comes back."""
    upstream.on("m", whole(msgspec.json.encode(said_upstream)))

    answer = httpx2.post(f"{gateway.url}/v1/{path}", json={"model": "acme/m", **body}, **LOCAL)

    assert answer.status_code == 200, answer.text
    assert not any(secret.encode() in upstream.received("m")[0].body for secret in SECRETS)
    assert "[EMAIL_1]" not in answer.text
    if said_here:
        assert answer.json() == said_here


def test_legacy_completions_in_pieces(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Streams of the older form come back as well."""
    pieces = [{"choices": [{"index": 0, "text": text, "finish_reason": None}]} for text in ("to [EM", "AIL_1] no", "w")]
    end = {"choices": [{"index": 0, "text": "", "finish_reason": "stop"}]}
    frames = [b"data: %b\n\n" % msgspec.json.encode(each) for each in (*pieces, end)]
    upstream.on("m", streamed(*frames, DONE))
    body = {"model": "acme/m", "prompt": MAIL, "stream": True}

    answer = httpx2.post(f"{gateway.url}/v1/completions", json=body, **LOCAL)

    lines = [msgspec.json.decode(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    assert "".join(line["choices"][0]["text"] for line in lines) == f"to {MAIL} now"


def test_forms(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The prompt beside a recording is redacted, the recording is not touched."""
    upstream.on("m", whole(b'{"text":"[EMAIL_1] said so"}'))
    files = {"file": ("a.wav", f"RIFF {MAIL}".encode(), "audio/wav")}

    answer = httpx2.post(
        f"{gateway.url}/v1/audio/transcriptions",
        data={"model": "acme/m", "prompt": f"names: {MAIL}"},
        files=files,
        **LOCAL,
    )

    assert answer.status_code == 200, answer.text
    sent = upstream.received("m")[0].body
    assert answer.json() == {"text": f"{MAIL} said so"}
    assert (b"names: [EMAIL_1]" in sent, sent.count(MAIL.encode()), f"RIFF {MAIL}".encode() in sent) == (True, 1, True)


@both_ways
@pytest.mark.parametrize("path", ["messages", "responses"])
def test_other_dialects(gateway: GatewayProcess, upstream: Upstream, stream: bool, path: str) -> None:
    """Anthropic's and the Responses' clients are told what they wrote, whatever is behind."""
    upstream.on("m", echo)
    text = f"to {MAIL}, {CARD}"
    forms: dict[str, dict[str, object]] = {
        "messages": {"max_tokens": 100, "messages": [{"role": "user", "content": text}]},
        "responses": {"input": text},
    }
    body = {"model": "acme/m", "stream": stream, **forms[path]}

    answer = httpx2.post(f"{gateway.url}/v1/{path}", json=body, **LOCAL)

    events = [msgspec.json.decode(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    whole_text = msgspec.json.encode(answer.json()).decode() if not stream else _deltas(events)
    assert answer.status_code == 200, answer.text
    assert text in whole_text
    assert "[EMAIL_1]" not in answer.text
    assert not any(secret.encode() in upstream.received("m")[0].body for secret in SECRETS)


def _deltas(events: list[Any]) -> str:
    """Join the pieces of text in events of any dialect."""
    deltas = [event.get("delta", "") for event in events]
    return "".join(delta.get("text", "") if isinstance(delta, dict) else delta for delta in deltas)


def test_it_is_counted_and_never_told(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Metrics count by detector, the log has one line for each; neither has anything of what was found."""
    upstream.on("m", echo)
    before = gateway.metric("wizard_redactions_total", detector="email")

    answer = ask(gateway, "acme/m", f"{MAIL} {MAIL}")
    line = gateway.wait_for_log("content_redacted", request_id=answer.headers["x-request-id"])

    assert gateway.metric("wizard_redactions_total", detector="email") == before + 2
    assert (line["side"], line["detector"], line["action"], line["count"]) == ("prompt", "email", "tokenize", 2)
    told = gateway.stdout.text + gateway.stderr.text + gateway.get("/metrics").text
    assert not any(secret in told for secret in SECRETS)
