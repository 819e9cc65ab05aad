"""`POST /v1/generate`: the gateway's own form, its options, and what it says about the answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import STREAM, WHOLE, in_turn, refused, streamed, whole
from tests.e2e.support.upstream import Upstream

PATH = "/v1/generate"
USER = {"role": "user", "content": "hi"}

WRONG: Mapping[str, tuple[dict[str, Any], str]] = {
    "neither": ({"model": "sim/echo"}, "prompt"),
    "both": ({"model": "sim/echo", "prompt": "x", "messages": [USER]}, "prompt"),
    "system with messages": ({"model": "sim/echo", "system": "x", "messages": [USER]}, "system"),
    "prompt is a number": ({"model": "sim/echo", "prompt": 1}, "prompt"),
    "no model": ({"prompt": "x"}, "model"),
    "unknown option": ({"model": "sim/echo", "prompt": "x", "options": {"retries": 1}}, "options.retries"),
    "option of a wrong type": ({"model": "sim/echo", "prompt": "x", "options": {"retry": "no"}}, "options.retry"),
    "no attempts": ({"model": "sim/echo", "prompt": "x", "options": {"max_attempts": 0}}, "options.max_attempts"),
    "no time": ({"model": "sim/echo", "prompt": "x", "options": {"timeout_s": 0}}, "options.timeout_s"),
    "stored for ever": ({"model": "sim/echo", "prompt": "x", "options": {"cache_ttl_s": 1e16}}, "options.cache_ttl_s"),
    "wrong knob": ({"model": "sim/echo", "prompt": "x", "top_p": "x"}, "top_p"),
}


def frames_of(answer: httpx2.Response) -> list[Any]:
    """Return the payloads of a stream, `[DONE]` left out."""
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    assert data.pop() == "[DONE]"
    return [msgspec.json.decode(payload) for payload in data]


def test_short_form(http: httpx2.Client, upstream: Upstream) -> None:
    """`prompt` and `system` become messages; what is not the gateway's own reaches the provider."""
    upstream.on("verbatim", whole())

    http.post(PATH, json={"model": "verbatim", "prompt": "hi", "system": "Be brief.", "seed": 7, "future": [1.50]})

    sent = msgspec.json.decode(upstream.received("verbatim")[0].body)
    messages = [{"role": "system", "content": "Be brief."}, USER]
    assert sent == {"model": "verbatim", "messages": messages, "seed": 7, "future": [1.5]}


def test_long_form(http: httpx2.Client, upstream: Upstream) -> None:
    """Everything that chat completions take is taken, too, and passed on without the gateway's own fields."""
    upstream.on("verbatim", whole())
    body = {"model": "verbatim", "messages": [USER], "tools": [{"type": "function", "function": {"name": "f"}}]}

    http.post(PATH, json={**body, "options": {"caching": False, "circuit_breaker": True, "cache_ttl_s": 5}})

    assert msgspec.json.decode(upstream.received("verbatim")[0].body) == body


def test_answer_carries_metadata(http: httpx2.Client, upstream: Upstream) -> None:
    """The answer is the provider's, with one more member."""
    upstream.on("verbatim", whole())

    answer = http.post(PATH, json={"model": "verbatim", "prompt": "hi"}, headers={"x-request-id": "g-1"})

    told = answer.json()
    wizard = told.pop("wizard")
    assert told == msgspec.json.decode(WHOLE)
    assert answer.content.startswith(WHOLE.rstrip()[:-1].rstrip())
    known = {"provider": "box", "model": "verbatim", "attempts": 1, "fallback": 0, "cache": "bypass"}
    assert wizard["request_id"] == "g-1"
    assert known.items() <= wizard.items()
    assert 0 <= wizard["overhead_ms"] <= wizard["duration_ms"]


def test_stream_carries_metadata_before_its_end(http: httpx2.Client, upstream: Upstream) -> None:
    """The provider's frames come as they are, then one chunk with the metadata, then the end."""
    upstream.on("verbatim", streamed())

    answer = http.post(PATH, json={"model": "verbatim", "prompt": "hi", "stream": True})

    frames = frames_of(answer)
    assert answer.content.startswith(STREAM.removesuffix(b"data: [DONE]\n\n"))
    assert (frames[-1]["choices"], frames[-1]["object"]) == ([], "chat.completion.chunk")
    wizard = frames[-1]["wizard"]
    assert {"provider": "box", "attempts": 1, "fallback": 0}.items() <= wizard.items()
    assert 0 <= wizard["overhead_ms"] <= wizard["time_to_first_token_ms"] <= wizard["duration_ms"]


def test_stream_of_known_usage_has_a_rate(http: httpx2.Client) -> None:
    """Tokens per second are told where the provider counts the tokens."""
    options = {"stream": True, "stream_options": {"include_usage": True}}

    answer = http.post(PATH, json={"model": "sim/words?words=20&tokens_per_s=500", "prompt": "hi", **options})

    told = frames_of(answer)[-1]["wizard"]
    assert told["tokens_per_s"] > 0
    assert 0 < told["longest_gap_ms"] < told["duration_ms"]


def test_metadata_tells_of_trouble(http: httpx2.Client, upstream: Upstream) -> None:
    """Attempts are counted over all targets, and the fallback is told by its position."""
    upstream.on("first", refused(500))
    upstream.on("second", in_turn(refused(500), whole()))

    answer = http.post(PATH, json={"model": "pair", "prompt": "hi"})

    wizard = answer.json()["wizard"]
    assert (wizard["model"], wizard["attempts"], wizard["fallback"]) == ("second", 5, 1)


@pytest.mark.parametrize("name", WRONG)
def test_names_the_wrong_field(http: httpx2.Client, name: str) -> None:
    """What is wrong with the gateway's own form is named like everything else."""
    body, param = WRONG[name]

    answer = http.post(PATH, json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_request", param)


@pytest.mark.parametrize("options", [None, {}, dict.fromkeys(("caching", "retry", "max_attempts", "timeout_s"))])
def test_null_is_as_if_it_were_not_there(http: httpx2.Client, options: dict[str, None] | None) -> None:
    """Clients that send every field they know send null for those that nobody filled."""
    body = {"model": "sim/echo", "prompt": "hi", "system": None, "session_id": None, "options": options}

    answer = http.post(PATH, json=body)

    assert (answer.status_code, answer.json()["choices"][0]["message"]["content"]) == (200, "hi")


def test_a_word_of_ones_own_is_no_session(http: httpx2.Client) -> None:
    """A session id is refused rather than ignored: its caller would believe that the past is remembered."""
    answer = http.post(PATH, json={"model": "sim/echo", "prompt": "hi", "session_id": "s"})

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404, "session_not_found", "session_id")


@pytest.mark.parametrize(
    ("options", "tries"), [({"retry": False}, 1), ({"max_attempts": 2}, 2), ({"max_attempts": 1}, 1), ({}, 3)]
)
def test_options_bound_the_tries(http: httpx2.Client, upstream: Upstream, options: dict[str, Any], tries: int) -> None:
    """`retry` and `max_attempts` decide how often a target is tried."""
    upstream.on("broken", refused(500))

    answer = http.post(PATH, json={"model": "box/broken", "prompt": "hi", "options": options})

    assert len(upstream.received("broken")) == tries
    assert answer.headers["x-should-retry"] == ("true" if tries == 1 else "false")


def test_option_switches_fallbacks_off(http: httpx2.Client, upstream: Upstream) -> None:
    """`fallback: false` stays with the first target."""
    upstream.on("first", refused(500))
    upstream.on("second", whole())

    answer = http.post(PATH, json={"model": "pair", "prompt": "hi", "options": {"fallback": False}})

    assert (answer.status_code, upstream.received("second")) == (502, [])


def test_option_bounds_the_time(http: httpx2.Client, upstream: Upstream) -> None:
    """`timeout_s` ends a call whose provider is silent."""
    upstream.hold("silent")

    answer = http.post(PATH, json={"model": "box/silent", "prompt": "hi", "options": {"timeout_s": 2}})

    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "timeout_total")
    assert upstream.take("silent").peer_left()


@pytest.mark.parametrize(
    ("accept", "body", "kind"),
    [
        ("text/event-stream", {}, "text/event-stream; charset=utf-8"),
        ("text/event-stream", {"stream": False}, "application/json"),
        ("application/json, text/event-stream", {}, "application/json"),
        ("*/*", {}, "application/json"),
    ],
)
def test_who_accepts_nothing_but_events_gets_a_stream(
    http: httpx2.Client, accept: str, body: dict[str, object], kind: str
) -> None:
    """What the body says goes first; SDKs that accept both are not surprised."""
    given = {"model": "sim/echo", "prompt": "hi", **body}

    answer = http.post(PATH, json=given, headers={"accept": accept})

    assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
