"""What Anthropic's answers become in OpenAI's form: recordings, and what is no answer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core import errors as table
from app.core.errors import GatewayError, Kind
from app.core.model import Completion, Native, Operation, PlainRequest
from app.core.usage import Usage
from tests.providers.anthropic.test_anthropic_requests import asked, codec
from tests.support.golden import agrees, names_in, recorded

GOLDEN = Path(__file__).parents[1] / "golden/anthropic/answers"


def decoded(body: bytes) -> Completion:
    """Return what an answer means."""
    return codec().decode(body, asked())


@pytest.mark.parametrize("name", names_in(GOLDEN))
def test_means_what_was_recorded(name: str) -> None:
    """Each kind of answer is written as OpenAI has it."""
    path = GOLDEN / f"{name}.json"

    completion = decoded(json.dumps(recorded(path)["given"]).encode())

    agrees(path, "told", json.loads(completion.raw))
    agrees(path, "finish", list(completion.finish_reasons))


def test_keeps_the_original_bytes() -> None:
    """A client of the same dialect gets the provider's own body."""
    body = b'{ "type":"message", "content":[], "stop_reason":"end_turn", "future": 1.50 }'

    completion = decoded(body)

    assert completion.native == Native("anthropic", body)


def test_counts_the_cache_as_part_of_the_prompt() -> None:
    """Tokens from and into the cache are part of the prompt, as they are with OpenAI."""
    usage = decoded(json.dumps(recorded(GOLDEN / "cached.json")["given"]).encode()).usage

    assert usage is not None
    assert (usage.prompt_tokens, usage.cached_tokens, usage.cache_write_tokens) == (2112, 2000, 100)
    assert (usage.completion_tokens, usage.total_tokens) == (5, 2117)


def test_a_count_of_tokens_is_passed_on() -> None:
    """A count of tokens is forwarded, and costs none."""
    body = b'{ "input_tokens": 12 }'

    completion = codec().decode(body, PlainRequest(Operation.COUNT_TOKENS, "m", b"{}"))

    assert (completion.raw, completion.usage) == (body, Usage())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", table.BAD_UPSTREAM_REPLY),
        (b"<html>", table.BAD_UPSTREAM_REPLY),
        (b"[]", table.BAD_UPSTREAM_REPLY),
        (b"{}", table.BAD_UPSTREAM_REPLY),
        (b'{"type":"message","content":"text"}', table.BAD_UPSTREAM_REPLY),
        (b'{"type":"message","content":[{"text":"no type"}]}', table.BAD_UPSTREAM_REPLY),
        (b'{"type":"message","content":[{"type":"text","text":"\xff"}]}', table.BAD_UPSTREAM_REPLY),
        (b'{"choices":[{"message":{"content":"hi"}}]}', table.BAD_UPSTREAM_REPLY),
        (b'{"type":"error","error":{"type":"overloaded_error","message":"x"}}', table.TARGET_BUSY),
        (b'{"type":"error","error":"x"}', table.TARGET_FAILED),
    ],
    ids=lambda value: value[:40] if isinstance(value, bytes) else value.code,
)
def test_refuses_what_is_no_answer(body: bytes, kind: Kind) -> None:
    """Anything but a message is the provider's fault, and an error with status 200 is an error."""
    with pytest.raises(GatewayError) as caught:
        decoded(body)

    assert caught.value.kind is kind


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=60), st.binary(max_size=30).map(lambda junk: b'{"type":"message",' + junk + b"}")))
def test_reading_an_answer_is_total(body: bytes) -> None:
    """Whatever bytes come, there is a completion or a gateway error."""
    try:
        completion = decoded(body)
    except GatewayError:
        return

    assert json.loads(completion.raw)["object"] == "chat.completion"
