"""Reasoning that the gateway showed in the form of the Responses API does not reach OpenAI as its own."""

from __future__ import annotations

import json

import pytest

from app.core.dialects.reasoning import ReasoningDetail, sealed
from app.providers.foreign_reasoning import own_items

USER = {"role": "user", "content": "Hi"}
OWN = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
FOREIGN = [
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": sealed()},
    {
        "type": "reasoning",
        "id": "rs_3",
        "summary": [],
        "encrypted_content": sealed([ReasoningDetail("reasoning.text", signature="c2ln")]),
    },
]


def test_foreign_reasoning_is_taken_out() -> None:
    """Sealed items go, all others stay as they were written."""
    raw = b'{"future": 1.50, "input": %b}' % json.dumps([USER, FOREIGN[0], OWN, FOREIGN[1], USER]).encode()

    own = own_items(raw)

    assert json.loads(own)["input"] == [USER, OWN, USER]
    assert b"1.50" in own


@pytest.mark.parametrize(
    "given",
    [
        "wizard:1: as a text",
        [USER, OWN],
        [{"role": "user", "content": "wizard:1: in a message"}],
        [{**OWN, "summary": [{"type": "summary_text", "text": "wizard:1:"}]}],
        [{"type": "reasoning", "id": "wizard:1:", "summary": []}],
        [{"type": "compaction", "encrypted_content": sealed()}],
    ],
)
def test_everything_else_is_left_as_it_is(given: object) -> None:
    """Without sealed items the very bytes come back, whatever texts say."""
    raw = b'{"input":  %b }' % json.dumps(given).encode()

    assert own_items(raw) == raw


def test_a_body_without_input() -> None:
    """What is kept at the provider needs no input; nothing is looked for in it."""
    raw = b'{"previous_response_id": "wizard:1:"}'

    assert own_items(raw) == raw
