"""The OpenAI codec's requests and whole answers; `test_openai_streams` and `test_openai_events` have the streams."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Target
from app.core.errors import BAD_UPSTREAM_REPLY, CONTENT_BLOCKED, TARGET_FAILED, GatewayError, Kind
from app.core.model import ChatFields, ChatRequest
from app.core.usage import Usage
from app.providers.openai.codec import OpenAiCodec
from tests.support.calls import asking

GOLDEN = Path(__file__).parents[1] / "golden/openai/answers"
DEEP = b"[" * 100_000 + b"]" * 100_000


def asked(raw: bytes) -> ChatRequest:
    """Decode a request as the edge does."""
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def totals(usage: Usage | None) -> tuple[int, int, int] | None:
    """Return the three counts that every provider gives."""
    return None if usage is None else (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens)


def test_encodes_to_the_very_same_bytes() -> None:
    """A request whose model has the same name at the provider is not touched, not even copied."""
    request = asked(b'{ "future": 1.0e+2 , "model":"m","messages":[]}\n')

    encoded = OpenAiCodec().encode(request, Target("p", "m"))

    assert encoded.path == "/chat/completions"
    assert encoded.body is request.raw


def test_encodes_the_targets_model() -> None:
    """Another model replaces the client's, and nothing else changes."""
    request = asked(b'{ "future": 1.0e+2 , "model":"route","messages":[]}\n')

    encoded = OpenAiCodec().encode(request, Target("p", "gpt/x"))

    assert encoded.body == b'{ "future": 1.0e+2 , "model":"gpt/x","messages":[]}\n'


@pytest.mark.parametrize(
    ("name", "finish", "usage"),
    [
        ("openai", ("stop",), Usage(9, 4, 13)),
        ("openai-tools", ("tool_calls", "stop"), Usage(5, 6, 11)),
        ("azure", ("content_filter",), Usage(11, 0, 11)),
        ("groq", ("stop",), Usage(72, 18, 90)),
        ("mistral", ("stop",), Usage(10, 15, 25)),
        ("deepseek", ("insufficient_system_resource",), Usage(6, 12, 18)),
        ("openrouter", ("stop",), Usage(14, 7, 21)),
        ("vllm", ("stop",), Usage(12, 5, 17)),
        ("llamacpp", ("length",), Usage(31, 2, 33)),
        ("ollama", ("stop",), Usage(26, 298, 324)),
        ("no-usage", (), None),
    ],
)
def test_reads_whole_answers(name: str, finish: tuple[str, ...], usage: Usage | None) -> None:
    """The answers of real servers give their finish reasons and usage, and are kept byte for byte."""
    raw = (GOLDEN / f"{name}.json").read_bytes()

    completion = OpenAiCodec().decode(raw, asking())

    assert (completion.raw, completion.finish_reasons) == (raw, finish)
    assert totals(completion.usage) == totals(usage)


@pytest.mark.parametrize(
    "usage",
    [
        b'{"prompt_tokens":null,"completion_tokens":null,"total_tokens":null}',
        b'{"prompt_tokens":9.0,"completion_tokens":4.5,"total_tokens":"13"}',
        b"[]",
        b'""',
    ],
)
def test_an_odd_usage_does_not_spoil_an_answer(usage: bytes) -> None:
    """An answer whose usage cannot be read is still an answer, as it is in a stream."""
    raw = b'{"choices":[{"message":{"content":"Hm"},"finish_reason":"stop"}],"usage":' + usage + b"}"

    completion = OpenAiCodec().decode(raw, asking())

    assert (completion.raw, completion.finish_reasons) == (raw, ("stop",))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"<html>busy</html>",
        b"{",
        b"{}",
        b'{"choices":null}',
        b'{"choices":[]}',
        b'{"choices":{}}',
        b'{"choices":[1]}',
        b'{"choices":[{"finish_reason":"\xff"}]}',
        b'{"choices":[{"finish_reason":"stop"}]} trailing',
        b'{"data":[{"id":"m"}]}',
        DEEP,
        b'{"choices":[{"message":' + DEEP + b"}]}",
    ],
    ids=lambda raw: raw[:24],
)
def test_refuses_what_is_no_answer(raw: bytes) -> None:
    """Anything but a chat completion is the provider's fault, however broken it is."""
    with pytest.raises(GatewayError) as caught:
        OpenAiCodec().decode(raw, asking())

    assert caught.value.kind is BAD_UPSTREAM_REPLY


def test_refuses_an_answer_that_is_not_text() -> None:
    """An answer that is not UTF-8 is refused, because the client could not read it either."""
    with pytest.raises(GatewayError) as caught:
        OpenAiCodec().decode(b'{"choices":[{"message":{"content":"\xff"},"finish_reason":"stop"}]}', asking())

    assert caught.value.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize(("name", "kind"), [("openrouter-error", TARGET_FAILED), ("moderated", CONTENT_BLOCKED)])
def test_an_error_with_status_200_is_an_error(name: str, kind: Kind) -> None:
    """A body with an `error` member is a failure of its own kind, whatever the status said."""
    with pytest.raises(GatewayError) as caught:
        OpenAiCodec().decode((GOLDEN / f"{name}.json").read_bytes(), asking())

    assert caught.value.kind is kind
    assert "CANARY" not in caught.value.message


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), st.binary(max_size=30).map(lambda junk: b'{"choices":[' + junk + b"]}")))
def test_reading_an_answer_is_total(raw: bytes) -> None:
    """Whatever bytes come, there is a completion or a gateway error."""
    try:
        completion = OpenAiCodec().decode(raw, asking())
    except GatewayError:
        return

    assert completion.raw == raw
