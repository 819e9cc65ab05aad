"""What sessions and idempotency keys keep where calls are redacted and guarded."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.asking import code, send
from tests.e2e.support.upstream import Upstream
from tests.e2e.test_redaction import both_ways, echo, said
from tests.support.gateway import GatewayProcess, Start, running

ANNA, BERT = "canary.anna@example.com", "canary.bert@example.com"


@pytest.fixture(scope="module")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that redacts, with a route that is guarded and has instructions of its own."""
    target = {"targets": [{"provider": "acme", "model": "m"}]}
    config = {
        "providers": {"acme": {"kind": "openai", "base_url": upstream.url}},
        "models": {"free": target, "watched": target, "guarded": {**target, "system": {"prompt": "Tell nobody."}}},
        "retry": {"max_attempts": 1},
        "redaction": {"enabled": True},
        "guards": {
            "routes": {
                "guarded": {
                    "spotlight": "encode",
                    "tripwire": {"policy": "block"},
                    "terms": {"policy": "block", "terms": ["falcon"]},
                    "streams": "hold",
                },
                "watched": {"terms": {"policy": "block", "terms": ["falcon"]}},
            }
        },
    }
    with running(Start(config)) as process:
        yield process


def ask(gateway: GatewayProcess, session: str, model: str, *messages: dict[str, Any], **fields: Any) -> httpx2.Response:  # noqa: ANN401 - JSON
    """Take a turn; `key` is an idempotency key."""
    key = fields.pop("key", None)
    headers = {"x-wizard-session": session, **({} if key is None else {"idempotency-key": key})}
    return send(
        gateway, "POST", "/v1/chat/completions", headers, {"model": model, "messages": list(messages), **fields}
    )


def user(text: str) -> dict[str, Any]:
    """Return what a user says."""
    return {"role": "user", "content": text}


def begin(gateway: GatewayProcess) -> str:
    """Begin a session."""
    made: dict[str, Any] = send(gateway, "POST", "/v1/sessions", {}).json()
    return str(made["id"])


def kept(gateway: GatewayProcess, session: str) -> dict[str, Any]:
    """Return what is kept of a session."""
    found: dict[str, Any] = send(gateway, "GET", f"/v1/sessions/{session}").json()
    return found


def sent(upstream: Upstream) -> list[list[Any]]:
    """Return the texts of the messages that the provider got with each request."""
    bodies = [msgspec.json.decode(request.body) for request in upstream.received("m")]
    return [[message["content"] for message in body["messages"]] for body in bodies]


@both_ways
def test_what_is_kept_was_redacted(gateway: GatewayProcess, upstream: Upstream, stream: bool) -> None:
    """No value is kept, none goes out later, no placeholder means two, and the caller sees what it wrote."""
    upstream.on("m", echo)
    session = begin(gateway)

    texts = [
        said(ask(gateway, session, "free", user(f"write to {mail}"), stream=stream)) for mail in (ANNA, BERT, ANNA)
    ]
    *_, past = sent(upstream)
    found = kept(gateway, session)

    assert texts == [f"write to {mail}" for mail in (ANNA, BERT, ANNA)]
    assert [message["content"] for message in found["messages"]] == [*past, past[-1]]
    assert past[0] == past[1] == past[4] != past[2] == past[3]
    assert "canary" not in msgspec.json.encode(found).decode()


@both_ways
def test_a_repeated_call_is_restored(gateway: GatewayProcess, upstream: Upstream, stream: bool) -> None:
    """It is a turn once, and says what the first one said."""
    upstream.on("m", echo)
    session = begin(gateway)

    first, again = [ask(gateway, session, "free", user(ANNA), stream=stream, key=f"{session}-1") for _ in range(2)]

    assert (said(first), said(again)) == (ANNA, ANNA)
    assert again.headers["x-wizard-idempotent-replay"] == "true"
    assert len(upstream.received("m")) == 1
    assert len(kept(gateway, session)["messages"]) == 2


@both_ways
def test_what_a_guard_refuses_is_not_kept(gateway: GatewayProcess, upstream: Upstream, stream: bool) -> None:
    """The conversation goes on as if nothing had been said; a repeated call is refused again, and nobody is asked."""
    upstream.on("m", echo)
    session = begin(gateway)

    said(ask(gateway, session, "guarded", user("one")))
    refused = [ask(gateway, session, "guarded", user("the falcon"), key=session, stream=stream) for _ in range(2)]
    last = said(ask(gateway, session, "guarded", user("two")))

    assert [code(answer) for answer in refused] == ["content_blocked"] * 2
    assert last == "two"
    assert [message["content"] for message in kept(gateway, session)["messages"]] == ["one", "one", "two", "two"]
    assert len(sent(upstream)) == 3


def test_what_a_guard_cuts_off_is_not_kept(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A stream that was shown in part is no turn, and is no answer to be repeated."""
    upstream.on("m", echo)
    session = begin(gateway)

    for _ in range(2):
        with pytest.raises(httpx2.RemoteProtocolError):
            ask(gateway, session, "watched", user("what a falcon is"), key=session, stream=True)

    assert kept(gateway, session)["messages"] == []
    assert len(sent(upstream)) == 2


def test_marks_and_instructions_are_not_kept(gateway: GatewayProcess, upstream: Upstream) -> None:
    """The provider gets them each time; what is marked was redacted before, and the caller can read none of it."""
    upstream.on("m", echo)
    session = begin(gateway)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    result = {"role": "tool", "tool_call_id": "c", "content": f"from {ANNA}"}

    ask(gateway, session, "guarded", user("call"), {"role": "assistant", "content": None, "tool_calls": [call]}, result)
    ask(gateway, session, "guarded", user("go on"))

    first, second = sent(upstream)
    shown = msgspec.json.encode(kept(gateway, session)).decode()
    assert [prompt[0].startswith("Tell nobody.") for prompt in (first, second)] == [True, True]
    assert first[3] == second[3] != f"from {ANNA}"
    assert "canary" not in base64.b64decode(first[3]).decode()
    assert ("Tell nobody" in shown, "base64" in shown, "Internal reference" in shown) == (False, False, False)
    assert '"from [EMAIL_' in shown
