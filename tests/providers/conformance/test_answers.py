"""Whole answers through every codec: OpenAI's form, whatever a provider adds, and numbers that add up."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.errors import BAD_UPSTREAM_REPLY, GatewayError
from tests.providers.conformance.corpus import (
    decoded,
    frames,
    streamed,
    usage_in,
)
from tests.providers.conformance.dialects import WALL_S, Dialect
from tests.providers.conformance.marks import (
    ANSWERS,
    DEEP,
    EVERY,
    STREAMS,
    TRANSLATING,
    adds_up,
    with_unknown,
    without_arguments,
)


@ANSWERS
def test_unknown_members_change_nothing(dialect: Dialect, name: str) -> None:
    """Members that a provider adds one day are read over."""
    body = msgspec.json.decode(dialect.answer(name))

    changed = decoded(dialect, msgspec.json.encode(with_unknown(body)))

    assert without_arguments(changed.raw) == without_arguments(decoded(dialect, dialect.answer(name)).raw)


@ANSWERS
def test_the_answer_has_openais_form(dialect: Dialect, name: str) -> None:
    """An answer has everything that OpenAI's SDKs read, and its finish reasons are OpenAI's."""
    completion = decoded(dialect, dialect.answer(name))

    body = msgspec.json.decode(completion.raw)
    assert (body["object"], type(body["created"])) == ("chat.completion", int)
    assert body["id"]
    assert body["model"]
    for choice in body["choices"]:
        assert choice["message"]["role"] == "assistant"
        assert {"content", "refusal"} <= choice["message"].keys()
        assert choice["finish_reason"] in {"stop", "length", "tool_calls", "content_filter"}
        for call in choice["message"].get("tool_calls", ()):
            assert call["id"]
            assert isinstance(msgspec.json.decode(call["function"]["arguments"]), dict)
    assert completion.finish_reasons == tuple(choice["finish_reason"] for choice in body["choices"])


@EVERY
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"<html>busy</html>", b'{"\xff":1}', DEEP])
def test_what_is_no_answer_is_the_providers_fault(dialect: Dialect, body: bytes) -> None:
    """Anything that cannot be read as an answer is a bad reply, however broken it is."""
    with pytest.raises(GatewayError) as caught:
        decoded(dialect, body)

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@EVERY
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=60))
def test_reading_is_total(dialect: Dialect, data: bytes) -> None:
    """Whatever bytes come, as an answer, a stream or a refusal, there is a value or a gateway error."""
    for read in (lambda: decoded(dialect, data), lambda: streamed(dialect, [data])):
        with pytest.raises(GatewayError):
            read()
    assert dialect.codec().error(400, {}, data, WALL_S).message


@ANSWERS
def test_the_usage_of_answers_adds_up(dialect: Dialect, name: str) -> None:
    """The total is the sum, and the details are parts of what they detail."""
    adds_up(decoded(dialect, dialect.answer(name)).usage)


@STREAMS
def test_the_usage_of_streams_adds_up(dialect: Dialect, name: str) -> None:
    """As with whole answers."""
    adds_up(usage_in(streamed(dialect, dialect.stream(name))))


@STREAMS
def test_usage_is_told_but_not_shown_unasked(dialect: Dialect, name: str) -> None:
    """The gateway always knows the usage; the client sees it only if it asked."""
    events = streamed(dialect, dialect.stream(name), usage=False)

    assert usage_in(events) is not None
    assert b'"usage":{' not in frames(events)


@TRANSLATING
def test_cached_and_reasoning_tokens_are_told_apart(dialect: Dialect) -> None:
    """Where a provider tells them, what came from its cache is a part of the prompt."""
    usages = [
        decoded(dialect, dialect.answer("reasoning")).usage,
        usage_in(streamed(dialect, dialect.stream("reasoning"))),
    ]

    told = dialect.name != "ollama"  # which counts neither
    assert [usage and usage.cached_tokens for usage in usages] == [16 if told else 0] * 2
    assert [usage and usage.prompt_tokens for usage in usages] == [20 if told else 9] * 2
