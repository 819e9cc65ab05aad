"""Which answers may be continued, and how a model is asked for that."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.core.model import ChatRequest, Native, Operation, PlainRequest
from app.core.recovery.continuing import Continues, continued, may_be_continued
from tests.support.calls import asking

TOOL = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"n": 1, "temperature": 0.2, "stop": ["x"], "seed": 1},
        {"tools": [], "logprobs": False, "reasoning_effort": "none", "response_format": None},
        {"response_format": {"type": "text"}, "thinking": {"type": "disabled"}, "modalities": ["text"]},
    ],
)
def test_plain_text_may_be_continued(fields: dict[str, Any]) -> None:
    """A stream of one text, whatever parameters say about its style."""
    request = asking(stream=True, **fields)

    assert may_be_continued(request)


@pytest.mark.parametrize(
    "fields",
    [
        {"stream": False},
        {"n": 2},
        {"tools": [TOOL]},
        {"functions": [{"name": "f"}]},
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_schema", "json_schema": {}}},
        {"logprobs": True},
        {"top_logprobs": 2},
        {"modalities": ["text", "audio"]},
        {"audio": {"voice": "x"}},
        {"reasoning_effort": "low"},
        {"thinking": {"type": "enabled", "budget_tokens": 1024}},
        {"web_search_options": {"a": 1}},
        {"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "He"}]},
        {"messages": []},
    ],
)
def test_anything_else_may_not(fields: dict[str, Any]) -> None:
    """Tools, forms, several choices, probabilities, sound, reasoning, and answers that the client began itself."""
    request = asking(**{"stream": True, **fields})

    assert not may_be_continued(request)


def test_other_operations_may_not() -> None:
    """Only chats have a turn that can be begun."""
    assert not may_be_continued(PlainRequest(Operation.COMPLETIONS, "m", b"{}", stream=True))


@pytest.mark.parametrize(
    ("how", "mark", "members"),
    [
        (Continues.TRAILING, {}, {}),
        (Continues.PREFIX, {"prefix": True}, {}),
        (Continues.PARTIAL, {"partial": True}, {}),
        (Continues.FINAL_MESSAGE, {}, {"continue_final_message": True, "add_generation_prompt": False}),
    ],
)
def test_the_request(how: Continues, mark: dict[str, bool], members: dict[str, bool]) -> None:
    """It ends with what was said, marked as the provider wants it, and keeps everything else."""
    request = msgspec.structs.replace(asking(stream=True, future={"a": 1}), origin=Native("anthropic", b"{}"))

    asked = continued(request, "So far", how)

    body = msgspec.json.decode(asked.raw)
    before = msgspec.json.decode(request.raw)
    assert body["messages"] == [*before["messages"], {"role": "assistant", "content": "So far", **mark}]
    assert {name: body[name] for name in body if name != "messages"} == {
        **{name: before[name] for name in before if name != "messages"},
        **members,
    }
    assert (asked.origin, asked.fields.messages[-1].content) == (None, "So far")


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_a_bound_counts_what_was_said(name: str) -> None:
    """The continuation gets what is left of the client's bound, and one token at least."""
    bound: dict[str, Any] = {name: 100}
    request = asking(stream=True, **bound)

    some, all_of_it = (
        bound_of(continued(request, text, Continues.TRAILING), name) for text in ("word " * 20, "w " * 999)
    )

    assert 60 < some < 95
    assert all_of_it == 1


def bound_of(request: ChatRequest, name: str) -> int:
    """Return a bound, which the body and the fields must have alike."""
    bound = getattr(request.fields, name)
    assert isinstance(bound, int)
    assert msgspec.json.decode(request.raw)[name] == bound
    return bound
