"""Recovery beside everything else that a stream meets: dialects, circuits, ledger, sessions, redaction, cache."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import DONE, FINISH, ROLE, dies, streamed, word
from tests.e2e.support.upstream import LIMIT_S, Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running

ADMIN = {"authorization": "Bearer canary-token"}
FIRST, SECOND = "The quick brown fox ", "jumps over the lazy dog."
MAIL = "eve@example.com"


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return a route over two providers of Anthropic's own dialect, and some over a compatible one."""
    box = {"kind": "openai", "base_url": upstream.url, "continues": "trailing"}
    claude = {"kind": "anthropic", "base_url": upstream.url, "api_key": "k"}
    recovery = {"enabled": True}

    def route(provider: str, *models: str, **more: object) -> dict[str, object]:
        targets = [{"provider": provider, "model": model} for model in models]
        return {"targets": targets, "recovery": recovery, **more}

    return {
        "admin": {"token": "canary-token"},
        "providers": {"box": box, "claude": claude},
        "models": {
            "pair": route("box", "one", "two"),
            "weak": route("box", "weak", "two"),
            "claudes": route("claude", "claude-sonnet-4-5", "claude-haiku-4-5"),
            "hedged": route(
                "box", "one", "two", hedge={"enabled": True, "min_s": 0.01, "max_s": 0.02, "budget_ratio": 1}
            ),
        },
        "retry": {"max_attempts": 1},
        "cache": {"enabled": True},
        "redaction": {"enabled": True, "detectors": ["email"]},
        "circuit_breaker": {"failure_threshold": 2, "window_s": 600, "open_s": 600},
        "prices": {"box/one": {"input": 1, "output": 1}, "box/two": {"input": 1, "output": 1}},
        "request_log": {"enabled": True},
    }


@pytest.fixture(scope="module")
def recovering(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with all of it."""
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture(autouse=True)
def closed(recovering: GatewayProcess) -> None:
    """Close the circuits that earlier tests have opened."""
    for target in ("box/one", "box/two", "claude/claude-sonnet-4-5"):
        httpx2.post(f"{recovering.url}/admin/circuits/{target}/reset", headers=ADMIN, **LOCAL)


def admin(gateway: GatewayProcess, path: str) -> Any:  # noqa: ANN401 - JSON
    """Ask the administration."""
    return httpx2.get(f"{gateway.url}/admin{path}", headers=ADMIN, **LOCAL).json()


def ask(gateway: GatewayProcess, model: str, text: str = "", **more: object) -> httpx2.Response:
    """Send a chat request for a stream and read it to its proper end."""
    text = text or f"Tell me {time.monotonic_ns()}."
    body = {"model": model, "prompt": text, "stream": True, **more}
    return httpx2.post(f"{gateway.url}/v1/generate", json=body, **LOCAL)


def said(answer: httpx2.Response) -> str:
    """Return the text that a client puts together."""
    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    chunks = [msgspec.json.decode(frame) for frame in frames]
    return "".join([each["delta"].get("content") or "" for chunk in chunks for each in chunk["choices"]])


def rest(text: str = SECOND) -> tuple[bytes, ...]:
    """Return the parts of a continuation."""
    return (ROLE, word(text), FINISH, DONE)


def event(kind: str, **members: object) -> bytes:
    """Return one of Anthropic's events."""
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **members}))


def claude_says(message_id: str, text: str) -> tuple[bytes, ...]:
    """Return the beginning of a message."""
    usage = {"input_tokens": 9, "output_tokens": 1}
    head = {"id": message_id, "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    return (
        event("message_start", message=head),
        event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": text}),
    )


def claude_ends() -> tuple[bytes, ...]:
    """Return the end of a message."""
    return (
        event("content_block_stop", index=0),
        event("message_delta", delta={"stop_reason": "end_turn"}, usage={"output_tokens": 6}),
        event("message_stop"),
    )


def test_anthropic_on_both_sides(recovering: GatewayProcess, upstream: Upstream) -> None:
    """Two of Anthropic's streams become one message, and the second is asked in Anthropic's own way."""
    upstream.on("claude-sonnet-4-5", dies(*claude_says("msg_1", FIRST)))
    upstream.on("claude-haiku-4-5", streamed(*claude_says("msg_2", SECOND), *claude_ends()))
    client = anthropic.Anthropic(base_url=recovering.url, api_key="none", max_retries=0)
    messages: Any = [{"role": "user", "content": f"Tell me {time.monotonic_ns()}."}]

    with client, client.messages.stream(model="claudes", max_tokens=50, messages=messages) as stream:
        message = stream.get_final_message()

    assert [block.text for block in message.content if block.type == "text"] == [FIRST + SECOND]
    assert message.stop_reason == "end_turn"
    sent = msgspec.json.decode(upstream.received("claude-haiku-4-5")[0].body)
    assert sent["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": FIRST.rstrip()}]}
    assert sent["messages"][0]["role"] == "user"


def test_the_circuit_of_the_broken_target_opens(recovering: GatewayProcess, upstream: Upstream) -> None:
    """A target that breaks its streams is left alone, although its clients got whole answers."""
    upstream.on("weak", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))

    answers = [ask(recovering, "weak") for _ in range(3)]

    assert [said(answer) for answer in answers] == [FIRST + SECOND] * 2 + [SECOND]
    assert len(upstream.received("weak")) == 2
    states = {each["target"]: each["state"] for each in admin(recovering, "/circuits")["circuits"]}
    assert (states["box/weak"], states["box/two"]) == ("open", "closed")


def test_the_ledger_has_a_row_for_each_attempt(recovering: GatewayProcess, upstream: Upstream) -> None:
    """Both are charged, and the last event tells the sum."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))
    before = {each["model"]: each["attempts"] for each in admin(recovering, "/usage?by=model")["rows"]}

    answer = ask(recovering, "pair")

    rows = {each["model"]: each for each in admin(recovering, "/usage?by=model")["rows"]}
    assert rows["one"]["attempts"] == before.get("one", 0) + 1
    assert rows["two"]["attempts"] == before.get("two", 0) + 1
    told = msgspec.json.decode(
        [line for line in answer.text.splitlines() if "wizard" in line][-1].removeprefix("data: ")
    )
    assert told["wizard"]["cost_usd"] > 0
    assert told["model"] == "one"


def test_the_story_of_the_call(recovering: GatewayProcess, upstream: Upstream) -> None:
    """The request log has the break and the seam among its steps."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))

    answer = ask(recovering, "pair")

    request_id = answer.headers["x-request-id"]
    (entry,) = admin(recovering, f"/requests?id={request_id}&steps=true")["requests"]
    steps = {step["what"]: step for step in entry["steps"]}
    assert {"from": "box/one", "to": "box/two"} == {
        "from": steps["stream_recovered"]["origin"],
        "to": steps["stream_recovered"]["onward"],
    }
    assert (entry["outcome"], entry["attempts"], entry["target_model"]) == ("completed", 2, "two")


def test_a_session_remembers_the_whole_answer(recovering: GatewayProcess, upstream: Upstream) -> None:
    """The next turn is sent with what its caller has read."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))
    made = httpx2.post(f"{recovering.url}/v1/sessions", json={}, **LOCAL).json()
    ask(recovering, "pair", session_id=made["id"])
    upstream.on("one", streamed())

    ask(recovering, "pair", session_id=made["id"])

    sent = msgspec.json.decode(upstream.received("one")[0].body)
    assert sent["messages"][1] == {"role": "assistant", "content": FIRST + SECOND}


def test_the_next_provider_sees_placeholders(recovering: GatewayProcess, upstream: Upstream) -> None:
    """What was taken out of the prompt stays out of the partial answer that is sent on; the client gets it back."""

    def echo(exchange: Exchange) -> None:
        prompt = msgspec.json.decode(exchange.request.body)["messages"][0]["content"]
        dies(ROLE, word(f"I wrote to {prompt.split()[-1]}, and "))(exchange)

    upstream.on("one", echo)
    upstream.on("two", streamed(*rest("she answered.")))

    answer = ask(recovering, "pair", f"Write {time.monotonic_ns()} to {MAIL}")

    assert said(answer) == f"I wrote to {MAIL}, and she answered."
    assert MAIL.encode() not in upstream.received("two")[0].body


def test_calls_that_share_a_stream_share_its_seam(recovering: GatewayProcess, upstream: Upstream) -> None:
    """One upstream call each for both halves, and the whole text for everybody."""
    text = f"Tell us {time.monotonic_ns()}."
    upstream.hold("one")
    upstream.on("two", streamed(*rest()))
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(ask, recovering, "pair", text)
        exchange = upstream.take("one")
        exchange.begin()
        exchange.part(ROLE + word(FIRST))
        recovering.wait_for_log("stream_started", target_model="one")
        others = [pool.submit(ask, recovering, "pair", text) for _ in range(3)]
        eventually(lambda: recovering.metric("wizard_active_requests") == 4, "not all calls came up")
        exchange.break_off()

        answers = [future.result(LIMIT_S) for future in (first, *others)]

    assert [said(answer) for answer in answers] == [FIRST + SECOND] * 4
    assert (len(upstream.received("one")), len(upstream.received("two"))) == (1, 1)
    assert sorted(answer.headers["x-wizard-cache"] for answer in answers) == ["coalesced"] * 3 + ["miss"]


def test_a_hedged_stream_is_continued(recovering: GatewayProcess, upstream: Upstream) -> None:
    """A stream that won its race and breaks is continued by the target that had lost, if that can."""
    upstream.on("one", lambda _exchange: None)

    def play(exchange: Exchange) -> None:
        upstream.on("one", streamed(*rest()))
        dies(ROLE, word(FIRST))(exchange)

    upstream.on("two", play)

    answer = ask(recovering, "hedged")

    assert (answer.headers["x-wizard-hedge"], said(answer)) == ("won", FIRST + SECOND)
