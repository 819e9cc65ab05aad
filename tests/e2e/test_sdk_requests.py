"""What the official Python SDK sends reaches the provider as it was sent, and what comes back is what was answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import openai
import pytest

from tests.e2e.support.answers import STREAM, WHOLE, streamed, whole
from tests.e2e.support.upstream import Upstream

USER: Any = [{"role": "user", "content": "Zürich, \u2028 and \U0001f600: what is there?"}]
SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "number"}}, "required": ["b"]}
TOOL = {"type": "function", "function": {"name": "look_up", "description": "d", "parameters": SCHEMA, "strict": True}}
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"}}
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "What is this?"}, IMAGE]},
    {"role": "assistant", "content": None, "tool_calls": [
        {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"b": "x"}'}}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "found"},
]  # fmt: skip

REQUESTS: Mapping[str, dict[str, Any]] = {
    "plain": {"messages": USER},
    "knobs": {"messages": USER, "temperature": 0.30000000000000004, "top_p": 1, "seed": 2**53, "stop": ["a", "b"]},
    "tools": {"messages": TURNS, "tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
    "schema": {
        "messages": USER,
        "response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}},
    },
    "logprobs": {"messages": USER, "logprobs": True, "top_logprobs": 3, "logit_bias": {"50256": -100}},
    "two": {"messages": USER, "n": 2, "user": "someone", "metadata": {"k": "v"}},
    "future": {
        "messages": [{**USER[0], "mood": {"deep": [1.0, None]}}],
        "extra_body": {"speculation": {"depth": 1e3}, "model_hint": "model", "nested": {"model": "decoy"}},
    },
    "audio": {
        "messages": [{"role": "user", "content": [
            {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
            {"type": "file", "file": {"file_id": "file-1"}}, {"type": "of_next_year", "thing": 1}]}],
        "modalities": ["text", "audio"], "reasoning_effort": "low", "service_tier": "auto",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", REQUESTS)
def test_forwards_the_body_byte_for_byte(
    sdk: openai.OpenAI, direct: openai.OpenAI, upstream: Upstream, name: str
) -> None:
    """A request whose model has the same name at the provider arrives as the very bytes that the SDK sent."""
    upstream.on("verbatim", whole())

    for client in (direct, sdk):
        client.chat.completions.create(model="verbatim", **REQUESTS[name])

    sent, forwarded = upstream.received("verbatim")
    assert sent.body == forwarded.body


@pytest.mark.parametrize("name", REQUESTS)
def test_changes_nothing_but_the_model(
    sdk: openai.OpenAI, direct: openai.OpenAI, upstream: Upstream, name: str
) -> None:
    """A request for `provider/model` differs from the SDK's only in the value of `model`."""
    upstream.on("renamed", whole())
    upstream.on("box/renamed", whole())

    direct.chat.completions.create(model="box/renamed", **REQUESTS[name])
    sdk.chat.completions.create(model="box/renamed", **REQUESTS[name])

    (sent,) = upstream.received("box/renamed")
    (forwarded,) = upstream.received("renamed")
    assert sent.body.replace(b'"model":"box/renamed"', b'"model":"renamed"') == forwarded.body
    assert {**msgspec.json.decode(sent.body), "model": "renamed"} == msgspec.json.decode(forwarded.body)


@pytest.mark.parametrize("name", REQUESTS)
def test_forwards_a_request_for_a_stream_byte_for_byte(
    sdk: openai.OpenAI, direct: openai.OpenAI, upstream: Upstream, name: str
) -> None:
    """What holds for whole answers holds for streams."""
    upstream.on("verbatim", streamed())

    for client in (direct, sdk):
        options: Any = {"include_usage": True}
        list(client.chat.completions.create(model="verbatim", stream=True, stream_options=options, **REQUESTS[name]))

    sent, forwarded = upstream.received("verbatim")
    assert sent.body == forwarded.body


def test_returns_the_answer_byte_for_byte(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A whole answer comes back as the very bytes that the provider sent, unknown fields and odd spelling included."""
    upstream.on("verbatim", whole())

    raw = sdk.chat.completions.with_raw_response.create(model="verbatim", messages=USER)

    assert raw.content == WHOLE
    assert raw.parse().choices[0].message.content == "one two"


def test_returns_the_stream_byte_for_byte(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A streamed answer comes back as the very bytes that the provider sent."""
    upstream.on("verbatim", streamed())

    with sdk.chat.completions.with_streaming_response.create(model="verbatim", messages=USER, stream=True) as raw:
        received = b"".join(raw.iter_bytes())

    assert received == STREAM


def test_sends_its_own_credentials_and_few_headers(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """The provider sees the gateway's key, the headers of the allow-list, and nothing else that the caller sent."""
    upstream.on("verbatim", whole())
    passed = {"openai-beta": "b=1", "traceparent": f"00-{'1' * 32}-{'2' * 16}-01", "tracestate": "a=b"}
    kept = {"cookie": "session=1", "x-forwarded-for": "10.0.0.1", "x-api-key": "k", "openai-organization": "o"}
    kept |= {"idempotency-key": "i-1"}  # ours: the gateway keeps the answer itself

    sdk.chat.completions.create(model="verbatim", messages=USER, extra_headers=passed | kept)

    headers = upstream.received("verbatim")[0].headers
    assert headers["authorization"] == "Bearer sk-canary-of-the-provider"
    assert headers["user-agent"].startswith("wizard/")
    assert passed.items() <= headers.items()
    ours = {"authorization", "user-agent", "via", "accept-encoding", "content-type", "content-length", "host"}
    assert headers.keys() - passed.keys() <= ours | {"connection"}


@pytest.mark.parametrize(
    "context",
    [
        {"traceparent": "00-1-2-01", "tracestate": "a=b"},
        {"traceparent": f"00-{'0' * 32}-{'2' * 16}-01"},
        {"traceparent": f"00-{'A' * 32}-{'2' * 16}-01"},
        {"tracestate": "a=b"},
    ],
)
def test_sends_no_trace_context_that_is_none(sdk: openai.OpenAI, upstream: Upstream, context: dict[str, str]) -> None:
    """What is no context by the W3C's rules ends at the gateway, and a state without its context as well."""
    upstream.on("verbatim", whole())

    sdk.chat.completions.create(model="verbatim", messages=USER, extra_headers=context)

    assert not {"traceparent", "tracestate"} & upstream.received("verbatim")[0].headers.keys()


def test_returns_none_of_the_providers_private_headers(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """Cookies, ids and rate limits of the gateway's own account stay with the gateway."""
    private = ("set-cookie: s=1", "x-request-id: req_theirs", "x-ratelimit-remaining-requests: 9", "server: theirs")
    upstream.on("verbatim", whole(headers=private))

    raw = sdk.chat.completions.with_raw_response.create(model="verbatim", messages=USER)

    assert not {"set-cookie", "x-ratelimit-remaining-requests", "server"} & set(raw.headers)
    assert raw.headers["x-request-id"] != "req_theirs"
