"""A turn of Claude Code as it comes over the wire: long systems in blocks, betas, many tools, results with pictures."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from tests.e2e.dialects.speaking import SAID, TEXT, TOOLS_TEXT, script
from tests.e2e.support.upstream import Upstream

HEADERS = {
    "anthropic-version": "2023-06-01",
    "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27",
    "anthropic-dangerous-direct-browser-access": "true",
    "authorization": "Bearer sk-of-the-caller",
    "user-agent": "claude-cli/2.1 (external, cli)",
    "x-app": "cli",
    "x-claude-code-session-id": "7f3a",
    "x-stainless-lang": "js",
}
MARK = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
NAMES = ("Bash", "Glob", "Read", "get_weather", "now")
CALLS = [
    {"type": "tool_use", "id": "toolu_a", "name": "Read", "input": {"file_path": "/a.png"}},
    {"type": "tool_use", "id": "toolu_b", "name": "Bash", "input": {"command": "ls"}, **MARK},
]
RESULTS = [
    {
        "type": "tool_result",
        "tool_use_id": "toolu_a",
        "content": [{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}],
    },
    {"type": "tool_result", "tool_use_id": "toolu_b", "content": "no such folder", "is_error": True, **MARK},
    {"type": "text", "text": "<system-reminder>Be quick.</system-reminder>"},
]


def turn(model: str) -> dict[str, Any]:
    """Return the body of a turn in the middle of a conversation."""
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}
    return {
        "model": model,
        "max_tokens": 32_000,
        "stream": True,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1"},
            {"type": "text", "text": "You are Claude Code.", **MARK},
            {"type": "text", "text": "# Tone\n" + "Be concise. " * 800, **MARK},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Look around.", **MARK}]},
            {"role": "assistant", "content": [{"type": "text", "text": "I look."}, *CALLS]},
            {"role": "user", "content": RESULTS},
        ],
        "tools": [{"name": name, "description": f"{name}. " * 50, "input_schema": schema} for name in NAMES],
        "metadata": {"user_id": '{"device_id":"d","session_id":"7f3a"}'},
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
    }


def events_of(answer: httpx2.Response) -> list[dict[str, Any]]:
    """Return what the events of a stream say."""
    return [json.loads(event.split("data: ")[1]) for event in answer.text.split("\n\n") if event]


@pytest.mark.parametrize("behind", ["chat", "anthropic", "responses"])
def test_turn(plain: httpx2.Client, upstream: Upstream, behind: str) -> None:
    """Whatever stands behind, the answer is text and calls of tools, streamed."""
    upstream.on("coder", script(behind, "tools", stream=True))

    answer = plain.post("/v1/messages?beta=true", json=turn(f"{behind}/coder"), headers=HEADERS)

    events = events_of(answer)
    assert answer.status_code == 200
    assert events[0]["type"] == "message_start"
    starts = [event["content_block"] for event in events if event["type"] == "content_block_start"]
    assert [block.get("name") for block in starts] == [None, *[name for name, _ in SAID["tools"].calls]]
    texts = [event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"]
    assert "".join(texts) == TOOLS_TEXT
    assert events[-2]["delta"]["stop_reason"] == "tool_use"
    assert events[-1] == {"type": "message_stop"}


def test_turn_at_anthropic(plain: httpx2.Client, upstream: Upstream) -> None:
    """Anthropic gets the body and the betas as Claude Code wrote them."""
    upstream.on("coder", script("anthropic", "tools", stream=True))

    plain.post("/v1/messages?beta=true", json=turn("anthropic/coder"), headers=HEADERS)

    (received,) = upstream.received("coder")
    assert json.loads(received.body) == turn("coder")
    assert received.headers["anthropic-beta"] == HEADERS["anthropic-beta"]
    assert not {"x-app", "authorization", "x-claude-code-session-id"} & received.headers.keys()


def test_turn_elsewhere(plain: httpx2.Client, upstream: Upstream) -> None:
    """Others get what they can understand, in the order that they demand, and the answer says what they did not get."""
    upstream.on("coder", script("chat", "tools", stream=True))

    answer = plain.post("/v1/messages?beta=true", json=turn("chat/coder"), headers=HEADERS)

    sent = json.loads(upstream.received("coder")[0].body)
    assert answer.headers["x-wizard-dropped-params"] == "context_management"
    assert [message["role"] for message in sent["messages"]] == ["system", "user", "assistant", "tool", "tool", "user"]
    assert [call["id"] for call in sent["messages"][2]["tool_calls"]] == ["toolu_a", "toolu_b"]
    picture, reminder = sent["messages"][-1]["content"]
    assert picture["image_url"]["url"].endswith(PIXEL)
    assert "Be quick" in reminder["text"]
    assert "cache_control" not in json.dumps(sent)
    assert [tool["function"]["name"] for tool in sent["tools"]] == list(NAMES)


def test_small_questions(plain: httpx2.Client, upstream: Upstream) -> None:
    """It asks whether it may ask, for titles, and how long its conversation is."""
    upstream.on("coder", script("chat", "text", stream=False))
    body = {"model": "chat/coder", "max_tokens": 1, "messages": [{"role": "user", "content": "quota"}]}

    quota = plain.post("/v1/messages?beta=true", json={**body, "metadata": {"user_id": "u"}}, headers=HEADERS)
    counting = {name: value for name, value in turn("chat/coder").items() if name in {"model", "messages", "tools"}}
    count = plain.post("/v1/messages/count_tokens?beta=true", json=counting, headers=HEADERS)

    assert quota.json()["content"] == [{"type": "text", "text": TEXT}]
    assert 500 < count.json()["input_tokens"] < 3000
