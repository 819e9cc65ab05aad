"""What a provider's dialect cannot say: dropped and reported, refused, or left to another target."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.dialects.speaking import TEXT, script
from tests.e2e.support.answers import whole
from tests.e2e.support.upstream import Upstream

USER: Any = [{"role": "user", "content": "Hi"}]
THINKING: Any = {"type": "enabled", "budget_tokens": 2000}


def talks(upstream: Upstream, dialect: str, model: str = "talker") -> None:
    """Let a provider answer with text."""
    upstream.on(model, script(dialect, "text", stream=False))


def test_harmless_knobs_are_dropped_and_reported(gpt: openai.OpenAI, upstream: Upstream) -> None:
    """A knob that Anthropic lacks is left out, and the answer's headers say so."""
    talks(upstream, "anthropic")

    raw = gpt.chat.completions.with_raw_response.create(
        model="anthropic/talker", messages=USER, seed=7, frequency_penalty=0.5, user="u-1"
    )

    sent = json.loads(upstream.received("talker")[0].body)
    assert raw.headers["x-wizard-dropped-params"] == "frequency_penalty,seed"
    assert sent["metadata"] == {"user_id": "u-1"}
    assert not {"seed", "frequency_penalty"} & sent.keys()


@pytest.mark.parametrize(("behind", "dropped"), [("chat", None), ("responses", "top_k")])
def test_knobs_of_anthropic(claude: anthropic.Anthropic, upstream: Upstream, behind: str, dropped: str | None) -> None:
    """Servers of OpenAI's form mostly know `top_k`, and get it; the Responses API has no word for it."""
    talks(upstream, behind)

    raw = claude.messages.with_raw_response.create(
        model=f"{behind}/talker", max_tokens=9, messages=USER, extra_body={"top_k": 5, "temperature": 0.5}
    )

    sent = json.loads(upstream.received("talker")[0].body)
    assert raw.headers.get("x-wizard-dropped-params") == dropped
    assert (sent.get("top_k"), sent["temperature"]) == (None if dropped else 5, 0.5)


def test_features_are_refused_by_name(gpt: openai.OpenAI, upstream: Upstream) -> None:
    """What would change the answer is no knob: it is refused, and nobody is asked."""
    talks(upstream, "anthropic")

    with pytest.raises(openai.BadRequestError) as raised:
        gpt.chat.completions.create(model="anthropic/talker", messages=USER, logprobs=True)

    assert (raised.value.code, raised.value.param) == ("unsupported_feature", "logprobs")
    assert upstream.received("talker") == []


def test_strict_provider_refuses_knobs(gpt: openai.OpenAI, upstream: Upstream) -> None:
    """A provider told so refuses what it would otherwise drop."""
    talks(upstream, "anthropic")

    with pytest.raises(openai.BadRequestError) as raised:
        gpt.chat.completions.create(model="strict/talker", messages=USER, seed=7)

    assert (raised.value.code, raised.value.param) == ("unsupported_feature", "seed")


def test_bound_of_a_provider(gpt: openai.OpenAI, upstream: Upstream) -> None:
    """Anthropic demands a bound: a request without one gets that of the provider, else the model's."""
    talks(upstream, "anthropic")

    for model in ("strict/talker", "anthropic/talker"):
        gpt.chat.completions.create(model=model, messages=USER)
    gpt.chat.completions.create(model="strict/talker", messages=USER, max_completion_tokens=5)

    bounds = [json.loads(received.body)["max_tokens"] for received in upstream.received("talker")]
    assert bounds[0] == 77
    assert bounds[1] > 77
    assert bounds[2] == 5


def test_next_target_takes_what_the_first_cannot_say(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """A feature that only the second target's dialect has makes the call move on, untouched."""
    upstream.on("first", whole())
    talks(upstream, "anthropic", "claude-second")
    tools: Any = [{"type": "web_search_20250305", "name": "web_search"}]

    raw = claude.messages.with_raw_response.create(model="moves-on", max_tokens=9, messages=USER, tools=tools)

    assert raw.parse().content[0].text == TEXT  # type: ignore[union-attr]
    assert raw.headers["x-wizard-fallback"] == "1"
    assert upstream.received("first") == []
    assert json.loads(upstream.received("claude-second")[0].body)["tools"] == tools


def test_thinking_is_asked_for_in_each_dialect(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """A budget of thinking is an effort elsewhere."""
    sent = {}
    for dialect in ("anthropic", "chat", "responses"):
        talks(upstream, dialect)
        claude.messages.create(model=f"{dialect}/talker", max_tokens=9000, messages=USER, thinking=THINKING)
        sent[dialect] = json.loads(upstream.received("talker")[0].body)

    assert sent["anthropic"]["thinking"] == THINKING
    assert sent["chat"]["reasoning_effort"] == "low"
    assert sent["responses"]["reasoning"]["effort"] == "low"


def test_sessions_of_claude_code(plain: httpx2.Client, upstream: Upstream) -> None:
    """Its header names the session, which the answer's headers show as they do for any other client."""
    talks(upstream, "chat")
    body = {"model": "chat/talker", "max_tokens": 9, "messages": USER}

    answer = plain.post("/v1/messages", json=body, headers={"x-claude-code-session-id": "7f3a"})

    assert answer.status_code == 200
    assert answer.json()["content"] == [{"type": "text", "text": TEXT}]


# --- counting --------------------------------------------------------------------------------------------------------


def test_tokens_are_counted_by_the_provider(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """Anthropic counts itself: it gets the original body and its answer is passed on."""
    upstream.on("counter", whole(b'{ "input_tokens": 4711 , "future": 1.50}'))

    raw = claude.messages.with_raw_response.count_tokens(model="anthropic/counter", messages=USER, system="Be brief.")

    (received,) = upstream.received("counter")
    assert received.path == "/v1/messages/count_tokens"
    assert json.loads(received.body) == {"model": "counter", "messages": USER, "system": "Be brief."}
    assert raw.parse().input_tokens == 4711
    assert raw.http_response.content == b'{ "input_tokens": 4711 , "future": 1.50}'


@pytest.mark.parametrize("model", ["chat/counter", "responses/counter", "sim/echo"])
def test_tokens_are_estimated_for_others(claude: anthropic.Anthropic, upstream: Upstream, model: str) -> None:
    """Where nobody counts, the gateway estimates, and longer conversations are longer."""
    upstream.on("counter", whole())
    tools: Any = [{"name": "f", "description": "Look. " * 50, "input_schema": {"type": "object"}}]

    short = claude.messages.count_tokens(model=model, messages=USER).input_tokens
    longer = claude.messages.count_tokens(model=model, messages=USER, tools=tools).input_tokens

    assert 1 <= short < 20
    assert short + 60 < longer < short + 200
    assert upstream.received("counter") == []


def test_tokens_are_estimated_if_the_provider_cannot_count(claude: anthropic.Anthropic, upstream: Upstream) -> None:
    """Servers that imitate Anthropic may lack that address; its failures are failures."""
    upstream.on("counter", whole(b'{"type":"error","error":{"type":"not_found_error","message":"No."}}', 404))
    upstream.on("picky", whole(b'{"type":"error","error":{"type":"invalid_request_error","message":"No."}}', 400))

    counted = claude.messages.count_tokens(model="anthropic/counter", messages=USER)
    with pytest.raises(anthropic.BadRequestError):
        claude.messages.count_tokens(model="anthropic/picky", messages=USER)

    assert 1 <= counted.input_tokens < 20


@pytest.mark.parametrize("model", ["nothing", "nobody/nothing", "sim/nothing", "anthropic/nothing"])
def test_tokens_are_counted_for_models_that_are_there(plain: httpx2.Client, upstream: Upstream, model: str) -> None:
    """Who counts for a model that nobody has is told so, in the words in which messages are refused."""
    missing = {"type": "not_found_error", "message": "model: nothing"}
    upstream.on("nothing", whole(json.dumps({"type": "error", "error": missing}).encode(), 404))
    body = {"model": model, "messages": USER}

    asked = plain.post("/v1/messages", json={**body, "max_tokens": 9})
    counted = plain.post("/v1/messages/count_tokens", json=body)

    assert (asked.status_code, counted.status_code) == (404, 404)
    said = [{**answer.json()["error"], "request_id": ""} for answer in (asked, counted)]
    assert said[0] == said[1]
