"""How many tokens a request has, by estimate."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.model import Operation, PlainRequest
from app.core.tokens import (
    IMAGE_TOKENS,
    LOW_DETAIL_TOKENS,
    Family,
    answer_tokens,
    family_of,
    prompt_of,
    prompt_tokens,
    text_tokens,
)
from tests.support.calls import a_call, asking

# Text and what the vocabularies o200k_base, cl100k_base and llama3 make of it, counted with bpe-openai and quicktok.
ENGLISH = (
    "All human beings are born free and equal in dignity and rights. They are endowed with reason and conscience and "
    "should act towards one another in a spirit of brotherhood. Can you please summarise the following article in "
    "three bullet points? I'd like the summary to focus on practical consequences for small companies, and to mention "
    "any deadlines that apply."
)
GERMAN = (
    "Alle Menschen sind frei und gleich an W\u00fcrde und Rechten geboren. Sie sind mit Vernunft und Gewissen begabt "
    "und sollen einander im Geist der Br\u00fcderlichkeit begegnen."
)
RUSSIAN = (
    "\u0412\u0441\u0435 \u043b\u044e\u0434\u0438 \u0440\u043e\u0436\u0434\u0430\u044e\u0442\u0441\u044f "
    "\u0441\u0432\u043e\u0431\u043e\u0434\u043d\u044b\u043c\u0438 \u0438 \u0440\u0430\u0432\u043d\u044b\u043c\u0438 "
    "\u0432 \u0441\u0432\u043e\u0435\u043c \u0434\u043e\u0441\u0442\u043e\u0438\u043d\u0441\u0442\u0432\u0435 \u0438 "
    "\u043f\u0440\u0430\u0432\u0430\u0445."
)
CHINESE = (
    "\u4eba\u4eba\u751f\u800c\u81ea\u7531,\u5728\u5c0a\u4e25\u548c\u6743\u5229\u4e0a\u4e00\u5f8b\u5e73\u7b49\u3002"
    "\u4ed6\u4eec\u8d4b\u6709\u7406\u6027\u548c\u826f\u5fc3,\u5e76\u5e94\u4ee5\u5144\u5f1f\u5173\u7cfb\u7684\u7cbe\u795e"
    "\u76f8\u5bf9\u5f85\u3002"
)
SCHEMA = (
    '{"type":"object","properties":{"location":{"type":"string","description":"City and country, e.g. Paris, France"},'
    '"unit":{"type":"string","enum":["celsius","fahrenheit"]}},"required":["location"],"additionalProperties":false}'
)
TOOL = {"type": "function", "function": {"name": "look", "description": "finds", "parameters": {"type": "object"}}}
CALL = {"id": "1", "function": {"arguments": "{}12"}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL, {"id": "2", "type": "custom"}]}
PICTURE = {"url": "data:image/png;base64," + "A" * 4000}
BARE = prompt_tokens(asking(""))


def said(*parts: object) -> dict[str, Any]:
    """Return a body whose user message has these parts."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("text", "counted"),
    [
        (ENGLISH, (67, 68, 68)),
        (GERMAN, (38, 44, 44)),
        (RUSSIAN, (17, 35, 22)),
        (CHINESE, (37, 52, 38)),
        (SCHEMA, (53, 51, 51)),
    ],
    ids=["English", "German", "Russian", "Chinese", "JSON"],
)
def test_the_estimate_is_near_the_truth(text: str, counted: tuple[int, int, int]) -> None:
    """Not a sixth below what the vocabularies really have, nor two fifths above, for each script and for dense JSON."""
    for family, tokens in zip((Family.O200K, Family.CL100K, Family.LLAMA), counted, strict=True):
        assert 5 / 6 * tokens <= text_tokens(text, family) <= 7 / 5 * tokens


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("claude/claude-sonnet-4-5", Family.CLAUDE),
        ("gpt-4o-mini", Family.O200K),
        ("openai/GPT-4-turbo", Family.CL100K),
        ("text-embedding-3-small", Family.CL100K),
        ("meta/llama-3.3-70b", Family.LLAMA),
        ("qwen3-coder", Family.QWEN),
        ("fast", Family.O200K),
    ],
)
def test_the_name_tells_the_vocabulary(model: str, family: Family) -> None:
    """As far as it can."""
    assert family_of(model) is family


def test_a_long_text_is_judged_by_samples() -> None:
    """Its estimate is in proportion, whatever the length, and both ends count."""
    assert text_tokens(ENGLISH * 1000) == pytest.approx(1000 * text_tokens(ENGLISH), rel=0.05)
    assert text_tokens(ENGLISH * 100 + CHINESE * 600) > 1.5 * text_tokens(ENGLISH * 200)


@given(st.text(max_size=300), st.sampled_from(Family))
def test_every_text_has_an_estimate(text: str, family: Family) -> None:
    """It is never negative, and nothing but the empty text is free."""
    estimate = text_tokens(text, family)

    assert (estimate > 0) == bool(text)
    assert estimate <= 4 * len(text.encode("utf-8", "replace"))


@pytest.mark.parametrize(
    ("text", "family", "tokens"),
    [("e" * 1000, Family.O200K, 220), ("\n" * 700, Family.CLAUDE, 1036), ("\u00fc" * 500, Family.CLAUDE, 1900)],
)
def test_every_character_costs_what_its_kind_costs(text: str, family: Family, tokens: int) -> None:
    """However many there are, and also if one costs more than a byte can say."""
    assert tokens == text_tokens(text, family)


def test_texts_of_every_kind_count() -> None:
    """Parts, refusals, calls and definitions of tools, and the schema of the answer are part of the prompt."""
    parts = said({"type": "text", "text": ENGLISH}, {"type": "refusal", "refusal": ENGLISH})
    schema = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}

    assert prompt_tokens(asking(**parts)) == BARE + text_tokens(2 * ENGLISH)
    assert prompt_tokens(asking(messages=[CALLED])) == BARE + text_tokens("{}12")
    assert prompt_tokens(asking("", tools=[TOOL])) == BARE + text_tokens('lookfinds{"type":"object"}')
    assert prompt_tokens(asking("", tools=[{"type": "web_search"}])) == BARE
    assert prompt_tokens(asking("", response_format=schema)) > BARE


def test_messages_cost_more_than_their_text() -> None:
    """Each has marks around it."""
    two = asking(messages=[{"role": "system", "content": ""}, {"role": "user", "content": ""}])

    assert prompt_tokens(two) > BARE > 0


def test_a_changed_request_is_counted_anew() -> None:
    """What a call knows of its prompt is that of the request it was counted for."""
    call = a_call(asking("hi"))
    longer = msgspec.structs.replace(call, request=asking("a question of several words"))

    found = [prompt_of(each) for each in (call, longer, call)]

    assert found == [prompt_tokens(each.request) for each in (call, longer, call)]
    assert found[0] < found[1]


@pytest.mark.parametrize(
    ("part", "tokens"),
    [
        ({"type": "image_url", "image_url": PICTURE}, IMAGE_TOKENS),
        ({"type": "image_url", "image_url": {**PICTURE, "detail": "low"}}, LOW_DETAIL_TOKENS),
        ({"type": "image_url", "image_url": {"detail": "low", **PICTURE}}, LOW_DETAIL_TOKENS),
        ({"type": "input_audio", "input_audio": {"data": "A" * 21_330, "format": "mp3"}}, 10),
        ({"type": "file", "file": {"file_data": "A" * 40_000}}, 1000),
        ({"type": "something_new"}, 0),
    ],
)
def test_what_is_no_text_counts_by_its_kind(part: dict[str, Any], tokens: int) -> None:
    """Pictures by their detail, not by their bytes; sound and files by their length."""
    assert prompt_tokens(asking(**said(part))) == BARE + tokens


@pytest.mark.parametrize(
    ("fields", "tokens"),
    [
        ({}, None),
        ({"max_tokens": 7}, 7),
        ({"max_completion_tokens": 9}, 9),
        ({"max_tokens": 7, "max_completion_tokens": 9}, 9),
    ],
)
def test_the_length_of_the_answer_is_what_the_request_allows(fields: dict[str, Any], tokens: int | None) -> None:
    """The newer field wins."""
    assert answer_tokens(asking("abcd", **fields)) == tokens


def test_other_operations_count_their_text() -> None:
    """Embeddings and the like have no messages and no answer to speak of."""
    request = PlainRequest(Operation.EMBEDDINGS, "text-embedding-3-small", b"{}", text=(ENGLISH, ENGLISH))

    assert prompt_tokens(request) == text_tokens(2 * ENGLISH, Family.CL100K)
    assert answer_tokens(request) is None
