"""Servers that stream the arguments of several calls in turn, and clients that read one call after the other."""

from __future__ import annotations

import json
from typing import Any

import anthropic
import openai
import pytest

from tests.e2e.dialects.hearing import USER
from tests.e2e.support.answers import streamed
from tests.e2e.support.upstream import Upstream


@pytest.mark.parametrize("front", ["messages", "responses"])
def test_arguments_that_come_in_turn(
    claude: anthropic.Anthropic, gpt: openai.OpenAI, upstream: Upstream, front: str
) -> None:
    """Where a server streams the arguments of several calls in turn, each call is whole at the client."""
    begun = [{"index": place, "id": f"c{place}", "function": {"name": name}} for place, name in enumerate(("a", "b"))]
    turns = [{"index": place, "function": {"arguments": text}} for text in ('{"x":', "1}") for place in (0, 1)]
    deltas: list[dict[str, Any]] = [{"role": "assistant"}, *[{"tool_calls": [piece]} for piece in (*begun, *turns)]]
    choices: list[dict[str, Any]] = [{"delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"delta": {}, "finish_reason": "tool_calls"})
    frames = [
        f"data: {json.dumps({'id': 'c', 'model': 'm', 'choices': [{'index': 0, **choice}]})}\n\n".encode()
        for choice in choices
    ]
    upstream.on("weaver", streamed(*frames, b"data: [DONE]\n\n"))

    if front == "messages":
        with claude.messages.stream(model="chat/weaver", max_tokens=9, messages=USER) as events:
            blocks = [block for block in events.get_final_message().content if block.type == "tool_use"]
        calls = [(block.name, block.input) for block in blocks]
    else:
        with gpt.responses.stream(model="chat/weaver", input="Hi") as stream:
            items = [item for item in stream.get_final_response().output if item.type == "function_call"]
        calls = [(item.name, json.loads(item.arguments)) for item in items]

    assert calls == [("a", {"x": 1}), ("b", {"x": 1})]
