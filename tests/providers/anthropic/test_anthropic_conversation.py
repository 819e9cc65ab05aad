"""Thinking that the gateway showed in Anthropic's form does not reach Anthropic as its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from app.core.dialects.reasoning import ReasoningDetail, sealed
from app.providers.foreign_reasoning import own_messages

USER = {"role": "user", "content": "Hi"}
TEXT = {"type": "text", "text": "Hello"}
SIGNED = {"type": "thinking", "thinking": "Mine.", "signature": "c2ln"}
FOREIGN = [
    {"type": "thinking", "thinking": "Plain.", "signature": sealed()},
    {"type": "thinking", "thinking": "Bound.", "signature": sealed([ReasoningDetail("reasoning.text", signature="x")])},
    {"type": "redacted_thinking", "data": sealed([ReasoningDetail("reasoning.encrypted", data="gAAA")])},
]


def conversation(*turns: object) -> bytes:
    """Return a body, oddly spaced."""
    return b'{"future": 1.50,\n "messages": %b }' % json.dumps([USER, *turns, USER]).encode()


def said(raw: bytes) -> Any:  # noqa: ANN401
    """Return what the turns between the two of the user hold."""
    return [turn["content"] for turn in json.loads(raw)["messages"][1:-1]]


@pytest.mark.parametrize("foreign", FOREIGN)
def test_foreign_thoughts_are_taken_out(foreign: dict[str, str]) -> None:
    """Sealed blocks go, all others stay as they were written."""
    raw = conversation({"role": "assistant", "content": [foreign, SIGNED, TEXT]})

    own = own_messages(raw)

    assert said(own) == [[SIGNED, TEXT]]
    assert b"1.50" in own


def test_turns_of_nothing_else_go_whole() -> None:
    """A turn that held nothing but foreign thoughts would be an empty one."""
    raw = conversation({"role": "assistant", "content": FOREIGN})

    assert said(own_messages(raw)) == []


@pytest.mark.parametrize(
    "content",
    [
        "wizard:1: as a text",
        [{"type": "text", "text": "wizard:1: in a block"}],
        [SIGNED, TEXT],
        [{"type": "thinking", "thinking": "wizard:1:", "signature": "c2ln"}],
        [{"type": "thinking", "thinking": "Unsigned.", "signature": ""}, {"type": "text", "text": "wizard:1:"}],
    ],
)
def test_everything_else_is_left_as_it_is(content: object) -> None:
    """Without sealed blocks the very bytes come back, whatever texts say."""
    raw = conversation({"role": "assistant", "content": content})

    assert own_messages(raw) == raw
