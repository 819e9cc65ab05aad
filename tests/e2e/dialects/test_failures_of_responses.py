"""Failures of responses raise, in OpenAI's official client, what its user expects, whatever stands behind."""

from __future__ import annotations

from typing import Any, NamedTuple

import httpx2
import openai
import pytest

from tests.e2e.dialects.refusing import BEGUN, OVERLOADED, anthropic_refuses, openai_refuses
from tests.e2e.support.answers import dies, whole
from tests.e2e.support.upstream import Script, Upstream

BAD = "invalid_request_error"
SOON = ("retry-after-ms: 1",)


class Told(NamedTuple):
    """What the client raises, and how often the provider was asked."""

    exception: type[openai.APIStatusError]
    status: int
    code: str
    tries: int = 1


REFUSALS: dict[str, tuple[str, Script, Told]] = {
    "anthropic bad request": (
        "anthropic",
        anthropic_refuses(400, BAD),
        Told(openai.BadRequestError, 400, "invalid_request"),
    ),
    "anthropic overloaded": (
        "anthropic",
        anthropic_refuses(529, "overloaded_error", headers=SOON),
        Told(openai.InternalServerError, 503, "target_busy", 3),
    ),
    "anthropic rate limit": (
        "anthropic",
        anthropic_refuses(429, "rate_limit_error", headers=SOON),
        Told(openai.RateLimitError, 429, "target_rate_limited", 3),
    ),
    "chat context": (
        "chat",
        openai_refuses(400, "context_length_exceeded"),
        Told(openai.BadRequestError, 400, "context_too_long"),
    ),
    "chat nonsense": ("chat", whole(b"[]"), Told(openai.InternalServerError, 502, "bad_upstream_reply", 3)),
    "responses key": (
        "responses",
        openai_refuses(401, "invalid_api_key"),
        Told(openai.InternalServerError, 502, "target_misconfigured"),
    ),
    "responses failure": ("responses", openai_refuses(500), Told(openai.InternalServerError, 502, "target_failed", 3)),
    "responses nonsense": (
        "responses",
        whole(b'{"object":"chat.completion"}'),
        Told(openai.InternalServerError, 502, "bad_upstream_reply", 3),
    ),
    "responses failed": (
        "responses",
        whole(
            b'{"id":"resp_1","object":"response","created_at":1,"status":"failed","model":"m","output":[],'
            b'"error":{"code":"server_error","message":"No."}}'
        ),
        Told(openai.InternalServerError, 502, "target_failed", 3),
    ),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", REFUSALS)
def test_refusal_of_a_provider(gpt: openai.OpenAI, upstream: Upstream, case: str, stream: bool) -> None:
    """Each refusal is one exception, before a stream as before a whole answer, and only what can pass is retried."""
    provider, refusal, told = REFUSALS[case]
    upstream.on("refuser", refusal)

    with pytest.raises(told.exception) as raised:
        gpt.responses.create(model=f"{provider}/refuser", input="Hi", stream=stream)

    error = raised.value
    assert Told(type(error), error.status_code, str(error.code), len(upstream.received("refuser"))) == told
    assert error.request_id is not None


WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "a stored turn": ({"previous_response_id": "resp_0"}, "unsupported_feature", "previous_response_id"),
    "a stored conversation": ({"conversation": "conv_0"}, "unsupported_feature", "conversation"),
    "a stored item": ({"input": [{"type": "item_reference", "id": "m_1"}]}, "unsupported_feature", "item_reference"),
    "a job": ({"background": True}, "unsupported_feature", "background"),
    "a tool of the provider": ({"tools": [{"type": "web_search"}]}, "unsupported_feature", "tools"),
    "an unknown item": ({"input": [{"type": "hologram"}]}, "unsupported_feature", "hologram"),
    "no input": ({"input": []}, "invalid_request", "input"),
    "a wrong type": ({"temperature": "hot"}, "invalid_request", "temperature"),
}


@pytest.mark.parametrize("behind", ["chat", "anthropic"])
@pytest.mark.parametrize("case", WRONG)
def test_what_only_a_provider_of_the_dialect_has(
    gpt: openai.OpenAI, upstream: Upstream, case: str, behind: str
) -> None:
    """What would need a provider that speaks Responses is refused by name, and nobody is asked."""
    wrong, code, part = WRONG[case]
    upstream.on("unasked", whole())

    with pytest.raises(openai.BadRequestError, match=part) as raised:
        gpt.responses.create(**{"model": f"{behind}/unasked", "input": "Hi", **wrong})

    assert raised.value.code == code
    assert upstream.received("unasked") == []


@pytest.mark.parametrize("behind", BEGUN)
def test_stream_that_dies(gpt: openai.OpenAI, upstream: Upstream, behind: str) -> None:
    """A stream that breaks is an exception behind the text that came."""
    upstream.on("frail", dies(*BEGUN[behind]))
    seen: list[str] = []

    events = gpt.responses.create(model=f"{behind}/frail", input="Hi", stream=True)
    with pytest.raises(openai.APIError) as raised:
        seen.extend(event.delta for event in events if event.type == "response.output_text.delta")

    assert seen == ["half of"]
    assert raised.value.code == "stream_broken"
    assert len(upstream.received("frail")) == 1


@pytest.mark.parametrize("behind", BEGUN)
def test_bytes_of_a_stream_that_dies(plain: httpx2.Client, upstream: Upstream, behind: str) -> None:
    """The last thing is the event `error`, numbered as all are, and then the connection is torn."""
    upstream.on("frail", dies(*BEGUN[behind]))
    read: list[bytes] = []

    with (
        plain.stream("POST", "/v1/responses", json={"model": f"{behind}/frail", "input": "Hi", "stream": True}) as told,
        pytest.raises(httpx2.RemoteProtocolError, match="incomplete chunked read"),
    ):
        read.extend(told.iter_raw())

    events = b"".join(read).split(b"\n\n")
    assert events[0].startswith(b"event: response.created\n")
    assert events[-2].startswith(b"event: error\n")
    assert events[-1] == b""
    assert b"response.completed" not in b"".join(read)


def test_error_before_the_text(gpt: openai.OpenAI, upstream: Upstream) -> None:
    """An error that a provider streams instead of an answer is an exception of the call."""
    upstream.on("torn", dies(BEGUN["anthropic"][0], OVERLOADED))

    with pytest.raises(openai.InternalServerError) as raised:
        gpt.responses.create(model="anthropic/torn", input="Hi", stream=True)

    assert (raised.value.status_code, raised.value.code) == (503, "target_busy")
