"""Streams that break off in the middle, on routes whose other targets go on with them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx2
import msgspec
import openai
import pytest

from tests.e2e.conftest import openai_client
from tests.e2e.support.answers import DONE, FINISH, ROLE, dies, in_turn, refused, streamed, word
from tests.e2e.support.node import Node
from tests.e2e.support.upstream import LIMIT_S, Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

CHAT = "/v1/chat/completions"
FIRST, SECOND = "The quick brown fox ", "jumps over the lazy dog."
USAGE = b'data: {"id":"c2","object":"chat.completion.chunk","created":2,"model":"n","choices":[],"usage":%b}\n\n'


def route(*models: str, **more: object) -> dict[str, object]:
    """Return a route over models of the scripted provider that goes on with broken streams."""
    targets = [{"provider": "box", "model": model} for model in models]
    return {"targets": targets, "recovery": {"enabled": True}, **more}


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return routes that recover, and one that does not."""
    box = {"kind": "openai", "base_url": upstream.url, "continues": "prefix"}
    return {
        "providers": {"box": box, "plain": {"kind": "openai", "base_url": upstream.url}},
        "models": {
            "pair": route("one", "two"),
            "three": route("one", "two", "three", recovery={"enabled": True, "max_times": 2}),
            "once": route("one", "two", "three"),
            "kept": route("one", "two"),
            "off": route("one", "two", recovery={"enabled": False}),
            "star/*": {**route("*-one", "*-two")},
            "unable": {**route("one"), "fallbacks": ["plain/two"]},
        },
        "timeouts": {"idle_s": 3},
        "retry": {"max_attempts": 1},
        "cache": {"enabled": True},
        "circuit_breaker": {"failure_threshold": 1000},
    }


@pytest.fixture(scope="module")
def recovering(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with all of these routes."""
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture
def client(recovering: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Return OpenAI's own client, which does not retry."""
    with openai_client(f"{recovering.url}/v1") as made:
        yield made.with_options(max_retries=0)


def other(text: str) -> bytes:
    """Return a piece of text of another answer, with an id and a model of its own."""
    return word(text).replace(b'"c1"', b'"c2"').replace(b'"model":"m"', b'"model":"n"')


def unique() -> Any:  # noqa: ANN401 - each SDK has a type of its own for it
    """Return a question that nobody has asked."""
    return [{"role": "user", "content": f"Tell me {time.monotonic_ns()}."}]


def rest(text: str = SECOND) -> tuple[bytes, ...]:
    """Return the parts of a continuation."""
    return (ROLE.replace(b'"c1"', b'"c2"'), other(text), FINISH.replace(b'"c1"', b'"c2"'), DONE)


def ask(
    gateway: GatewayProcess, model: str, path: str = CHAT, headers: dict[str, str] | None = None, **fields: object
) -> httpx2.Response:
    """Send a chat request for a stream and read what comes, whole or broken."""
    body = {"model": model, "messages": unique(), "stream": True, **fields}
    with httpx2.stream("POST", gateway.url + path, json=body, headers=headers, **LOCAL) as answer:
        read = b""
        try:
            for piece in answer.iter_raw():
                read += piece
        except httpx2.RemoteProtocolError:
            read += b"BROKEN"
        return httpx2.Response(answer.status_code, headers=answer.headers, content=read)


def chunks(answer: httpx2.Response) -> list[dict[str, Any]]:
    """Return the payloads of a stream."""
    frames = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: {")]
    return [msgspec.json.decode(frame) for frame in frames]


def text_of(answer: httpx2.Response) -> str:
    """Return the text that a client puts together."""
    return "".join(
        [each["delta"].get("content") or "" for chunk in chunks(answer) for each in chunk.get("choices", ())]
    )


BREAKS: dict[str, Callable[[Exchange], None]] = {
    "cut": Exchange.break_off,
    "silent": lambda _exchange: None,
    "ended": Exchange.end,
    "error": lambda exchange: exchange.part(b'data: {"error":{"message":"no","type":"server_error","code":500}}\n\n'),
    "garbage": lambda exchange: exchange.part(b"data: {what\n\n"),
    "done_too_soon": lambda exchange: exchange.part(DONE),
}


@pytest.mark.parametrize(
    ("how", "shown"),
    [(how, shown) for how in BREAKS for shown in (FIRST, "The quick bro", "T") if how != "silent" or shown == FIRST],
)
def test_the_next_target_goes_on(
    recovering: GatewayProcess, client: openai.OpenAI, upstream: Upstream, how: str, shown: str
) -> None:
    """Wherever and however the first stream breaks, OpenAI's client reads one whole answer with one id and model."""
    seen = threading.Event()

    def play(exchange: Exchange) -> None:
        exchange.begin()
        exchange.part(ROLE + word(shown))
        seen.wait(LIMIT_S)
        BREAKS[how](exchange)

    upstream.on("one", play)
    whole_text = FIRST + SECOND
    upstream.on("two", streamed(*rest(whole_text[len(shown) :])))

    pieces = []
    for piece in client.chat.completions.create(model="pair", messages=unique(), stream=True):
        pieces.append(piece)
        if piece.choices[0].delta.content:
            seen.set()

    said = "".join([choice.delta.content or "" for piece in pieces for choice in piece.choices])
    assert said == whole_text
    assert {(piece.id, piece.model, piece.created) for piece in pieces} == {("c1", "m", 1)}
    assert [choice.finish_reason for choice in pieces[-1].choices] == ["stop"]
    assert [choice.delta.role for piece in pieces for choice in piece.choices if choice.delta.role] == ["assistant"]
    (seam,) = (pieces[-1].model_extra or {})["wizard"]["recovered"]
    assert (seam["from"], seam["to"], seam["chars"]) == ("box/one", "box/two", len(shown))
    sent = msgspec.json.decode(upstream.received("two")[0].body)
    assert sent["messages"][1] == {"role": "assistant", "content": shown.rstrip(), "prefix": True}
    assert recovering.metric("wizard_stream_recoveries_total", outcome="resumed") >= 1


def test_a_repeated_end_is_left_out(recovering: GatewayProcess, upstream: Upstream) -> None:
    """What the second target says again of the first one's answer is not shown twice."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on(
        "two", streamed(*[other(piece) for piece in ("The qu", "ick brown", " fox jumps", " on.")], FINISH, DONE)
    )

    answer = ask(recovering, "pair")

    assert text_of(answer) == "The quick brown fox jumps on."


def test_log_decisions_and_the_ledger_tell_of_it(recovering: GatewayProcess, upstream: Upstream) -> None:
    """Both attempts are counted, the failed target is told, and the log has a line."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on(
        "two", streamed(*rest()[:-1], USAGE % b'{"prompt_tokens":20,"completion_tokens":6,"total_tokens":26}', DONE)
    )
    failed = recovering.metric("wizard_attempts_total", provider="box", model="one", outcome="failed")

    answer = ask(recovering, "pair", stream_options={"include_usage": True})

    line = recovering.wait_for_log("stream_recovered", request_id=answer.headers["x-request-id"])
    assert {"from": "box/one", "to": "box/two", "reason": "stream_broken", "chars": 20}.items() <= line.items()
    done = recovering.wait_for_log("request_completed", request_id=answer.headers["x-request-id"])
    assert (done["attempts"], done["provider"], done["target_model"]) == (2, "box", "two")
    usage = next(chunk["usage"] for chunk in chunks(answer) if chunk.get("usage"))
    assert usage["completion_tokens"] == 6 + 5
    assert usage["prompt_tokens"] > 20
    assert recovering.metric("wizard_attempts_total", provider="box", model="one", outcome="failed") == failed + 1


def test_generate_tells_it_in_its_last_event(recovering: GatewayProcess, upstream: Upstream) -> None:
    """The metadata of /v1/generate names the seam, and who finished."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))

    told = chunks(ask(recovering, "pair", "/v1/generate"))[-1]["wizard"]

    seam = {"from": "box/one", "to": "box/two", "code": "stream_broken", "chars": 20}
    assert (told["recovered"], told["model"], told["attempts"]) == ([seam], "two", 2)


def test_messages(recovering: GatewayProcess, upstream: Upstream) -> None:
    """Anthropic's client reads one message of one block."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))
    client = anthropic.Anthropic(base_url=recovering.url, api_key="none", max_retries=0)

    with client, client.messages.stream(model="pair", max_tokens=50, messages=unique()) as stream:
        message = stream.get_final_message()

    assert [block.text for block in message.content if block.type == "text"] == [FIRST + SECOND]
    assert (message.stop_reason, message.model) == ("end_turn", "one")
    assert msgspec.json.decode(upstream.received("two")[0].body)["max_tokens"] < 50


def test_responses(client: openai.OpenAI, upstream: Upstream) -> None:
    """A client of the Responses API reads one item, and a response that is complete."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))

    events = list(client.responses.create(model="pair", input=unique()[0]["content"], stream=True))

    assert events[-1].type == "response.completed"
    assert events[-1].response.output_text == FIRST + SECOND
    assert len(events[-1].response.output) == 1


@pytest.mark.parametrize(
    ("model", "fields", "headers"),
    [
        ("off", {}, {}),
        ("unable", {}, {}),
        ("pair", {}, {"x-wizard-fallback": "off"}),
        ("pair", {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]}, {}),
        ("pair", {"response_format": {"type": "json_object"}}, {}),
        ("pair", {"logprobs": True}, {}),
        ("pair", {"n": 2}, {}),
        ("pair", {"reasoning_effort": "low"}, {}),
    ],
)
def test_what_is_not_recovered(
    recovering: GatewayProcess, upstream: Upstream, model: str, fields: dict[str, Any], headers: dict[str, str]
) -> None:
    """Such a stream ends with one error and a broken connection, and no other target hears of it."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))

    answer = ask(recovering, model, headers=headers, **fields)

    assert (text_of(answer), chunks(answer)[-1]["error"]["code"]) == (FIRST, "stream_broken")
    assert answer.content.endswith(b"BROKEN")
    assert b"[DONE]" not in answer.content
    assert not upstream.received("two")


THOUGHT = word("").replace(b'"content":""', b'"reasoning_content":"hm"')


@pytest.mark.parametrize(
    "parts",
    [
        (ROLE, THOUGHT, word(FIRST)),
        (ROLE, word(FIRST), FINISH),
        (ROLE, word("").replace(b'"content":""', b'"refusal":"no"')),
    ],
    ids=["reasoning", "finished", "refusal"],
)
def test_more_than_text_is_not_continued(
    recovering: GatewayProcess, upstream: Upstream, parts: tuple[bytes, ...]
) -> None:
    """A stream of which the client has seen reasoning, a refusal or the finish ends as it always did."""
    upstream.on("one", dies(*parts))
    upstream.on("two", streamed(*rest()))

    answer = ask(recovering, "pair")

    line = recovering.wait_for_log("stream_not_recovered", request_id=answer.headers["x-request-id"])
    assert (line["reason"], chunks(answer)[-1]["error"]["code"]) == ("unfit", "stream_broken")
    assert not upstream.received("two")


def test_nobody_can_go_on(recovering: GatewayProcess, upstream: Upstream) -> None:
    """If the others refuse, the client is told what happened to the answer that it was reading."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", refused(400))

    answer = ask(recovering, "pair")

    assert chunks(answer)[-1]["error"]["code"] == "stream_broken"
    failed = recovering.wait_for_log("request_failed", request_id=answer.headers["x-request-id"])
    assert (failed["target_model"], failed["code"]) == ("one", "stream_broken")
    line = recovering.wait_for_log("stream_not_recovered", request_id=answer.headers["x-request-id"])
    assert line["reason"] == "failed"


def test_a_continuation_that_breaks_is_continued(recovering: GatewayProcess, upstream: Upstream) -> None:
    """As often as the route allows; the third target sees what both before it have said."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", dies(ROLE, other("jumps over ")))
    upstream.on("three", streamed(*rest("the lazy dog.")))

    twice, once = ask(recovering, "three"), ask(recovering, "once")

    assert text_of(twice) == FIRST + SECOND
    seams = chunks(twice)[-1]["wizard"]["recovered"]
    assert [(seam["from"], seam["to"]) for seam in seams] == [("box/one", "box/two"), ("box/two", "box/three")]
    assert text_of(once) == FIRST + "jumps over "
    assert chunks(once)[-1]["error"]["code"] == "stream_broken"


def test_who_begins_anew_is_not_followed(recovering: GatewayProcess, upstream: Upstream) -> None:
    """A target that starts over in other words is given up for the next, and nothing of it is shown."""
    long = "It was a bright cold day in April, and the clocks were striking "
    upstream.on("one", dies(ROLE, word(long + "thirteen. Winston Smith ")))
    upstream.on("two", in_turn(streamed(*rest(long + "twelve, not more."))))
    upstream.on("three", streamed(*rest("slipped in.")))

    answer = ask(recovering, "once")

    assert text_of(answer) == long + "thirteen. Winston Smith slipped in."
    (seam,) = chunks(answer)[-1]["wizard"]["recovered"]
    assert (seam["from"], seam["to"]) == ("box/one", "box/three")


def test_a_route_with_a_star(recovering: GatewayProcess, upstream: Upstream) -> None:
    """Its calls are recovered like those of any other; a name that only looks like it is not."""
    upstream.on("x-one", dies(ROLE, word(FIRST)))
    upstream.on("x-two", streamed(*rest()))

    starred, direct = ask(recovering, "star/x"), ask(recovering, "box/x-one")

    assert text_of(starred) == FIRST + SECOND
    assert chunks(direct)[-1]["error"]["code"] == "stream_broken"


@pytest.mark.parametrize(
    ("script", "scenario"),
    [("sdk.mjs", "helper"), ("sdk.mjs", "streamed"), ("responses.mjs", "streamed"), ("anthropic.mjs", "streamed")],
)
def test_clients_for_node(
    node: Node, recovering: GatewayProcess, upstream: Upstream, script: str, scenario: str
) -> None:
    """OpenAI's and Anthropic's SDKs for Node read one whole answer, too."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.on("two", streamed(*rest()))
    base_url = recovering.url if script == "anthropic.mjs" else f"{recovering.url}/v1"

    result = node.scenario(script, base_url, scenario, "pair")

    texts = [block["text"] for block in result["content"]] if script == "anthropic.mjs" else [result["text"]]
    assert texts == [FIRST + SECOND]


def test_it_is_not_stored(recovering: GatewayProcess, upstream: Upstream) -> None:
    """An answer with a seam is given to those who wait for it, and to nobody later."""
    upstream.on("one", in_turn(dies(ROLE, word(FIRST)), streamed()))
    upstream.on("two", streamed(*rest()))
    messages = unique()

    first = ask(recovering, "kept", messages=messages)
    second = ask(recovering, "kept", messages=messages)
    third = ask(recovering, "kept", messages=messages)

    assert (text_of(first), text_of(second)) == (FIRST + SECOND, "one two")
    assert [each.headers["x-wizard-cache"] for each in (first, second, third)] == ["miss", "miss", "hit"]


def test_a_client_that_leaves_ends_the_continuation(recovering: GatewayProcess, upstream: Upstream) -> None:
    """The second provider is left as soon as the client is."""
    upstream.on("one", dies(ROLE, word(FIRST)))
    upstream.hold("two")
    body = {"model": "pair", "messages": unique(), "stream": True}
    with httpx2.stream("POST", recovering.url + CHAT, json=body, **LOCAL):
        exchange = upstream.take("two")
        exchange.begin()
        exchange.part(other("jumps "))

    assert exchange.peer_left()
