"""What a request needs, and which targets have it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.model import Operation, PlainRequest
from app.core.routing.candidates import FEATURES, Candidate, Needs, lacking, needs_of
from app.core.tokens import prompt_tokens
from tests.support.calls import TARGET, a_call, asking

features = st.frozensets(st.sampled_from(FEATURES))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 4000}}
AUDIO = {"type": "input_audio", "input_audio": {"data": "A" * 4000, "format": "wav"}}
TOOL = {"type": "function", "function": {"name": "look", "description": "finds", "parameters": {"type": "object"}}}
CALLED = {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "function": {"arguments": "{}12"}}]}


def said(*parts: object) -> dict[str, Any]:
    """Return a body whose user message has these parts."""
    return {"messages": [{"role": "user", "content": list(parts)}]}


@pytest.mark.parametrize(
    ("body", "features"),
    [
        ({}, ()),
        ({"tools": []}, ()),
        ({"tools": [TOOL]}, ("tools",)),
        ({"messages": [CALLED]}, ("tools",)),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "4"}]}, ("tools",)),
        (said({"type": "text", "text": "hi"}), ()),
        (said({"type": "text", "text": "hi"}, IMAGE), ("vision",)),
        (said(AUDIO), ("audio",)),
        ({"response_format": None}, ()),
        ({"response_format": {"type": "json_object"}}, ()),
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}}, ("json_schema",)),
        ({"response_format": "json_schema"}, ()),
        ({"response_format": {}}, ()),
        ({**said(AUDIO, IMAGE), "tools": [TOOL]}, ("tools", "vision", "audio")),
    ],
)
def test_features_are_seen_in_the_request(body: dict[str, Any], features: tuple[str, ...]) -> None:
    """What only some models can do is found where the request asks for it, each once, in a fixed order."""
    assert needs_of(a_call(asking(**body))).features == features


def test_prompt_and_answer_have_to_fit() -> None:
    """Together they are what a context window has to hold."""
    request = asking("abcd", max_tokens=7)

    assert needs_of(a_call(request)).tokens == prompt_tokens(request) + 7
    assert needs_of(a_call(asking("abcd"))).tokens == prompt_tokens(request)


def test_a_request_that_is_no_chat_needs_its_length_alone() -> None:
    """No feature of a model is looked for in what it embeds; all of it has to fit."""
    request = PlainRequest(Operation.EMBEDDINGS, "m", b"{}", text=("some", "words"))

    assert needs_of(a_call(request)) == Needs((), prompt_tokens(request))


def test_what_is_not_configured_is_there() -> None:
    """A target that says nothing about itself can do everything, at any length."""
    silent = Candidate(TARGET)

    assert silent.serves_all
    assert lacking(silent, Needs(FEATURES, 10**9)) == ()


@pytest.mark.parametrize(("tokens", "lacks"), [(99, ()), (100, ()), (101, ("context",))])
def test_a_window_is_used_to_its_end(tokens: int, lacks: tuple[str, ...]) -> None:
    """A request that just fits is served."""
    assert lacking(Candidate(TARGET, context_window=100), Needs((), tokens)) == lacks


@given(features, features, st.integers(0, 9), st.none() | st.integers(1, 9))
def test_nothing_is_lacking_exactly_if_everything_is_there(
    wanted: frozenset[str], known: frozenset[str], tokens: int, window: int | None
) -> None:
    """A target is left out if and only if a wanted feature or room is missing, and each of them is named."""
    candidate = Candidate(TARGET, capabilities=known, context_window=window)
    needs = Needs(tuple(feature for feature in FEATURES if feature in wanted), tokens)

    lacks = lacking(candidate, needs)

    too_long = {"context"} if window is not None and tokens > window else set()
    assert set(lacks) == (wanted - known) | too_long
    assert not candidate.serves_all
