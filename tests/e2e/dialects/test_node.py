"""The official SDKs for Node speak both dialects through the gateway, whatever stands behind."""

from __future__ import annotations

import pytest

from tests.e2e.dialects.refusing import BEGUN, openai_refuses
from tests.e2e.dialects.speaking import ARGUMENTS, TEXT, THOUGHT, TOOL, script
from tests.e2e.support.answers import dies, in_turn
from tests.e2e.support.node import Node
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import GatewayProcess

DIALECTS = pytest.mark.parametrize("behind", ["chat", "anthropic", "responses"])


@DIALECTS
def test_message(node: Node, polyglot: GatewayProcess, upstream: Upstream, behind: str) -> None:
    """Thinking, text, the reason for the end and the tokens arrive, whole and streamed."""
    upstream.on("talker", script(behind, "thinking", stream=False))
    whole = node.scenario("anthropic.mjs", polyglot.url, "whole", f"{behind}/talker")
    upstream.on("talker", script(behind, "thinking", stream=True))
    streamed = node.scenario("anthropic.mjs", polyglot.url, "streamed", f"{behind}/talker")

    for told in (whole, streamed):
        assert told["content"][0]["thinking"] == THOUGHT
        assert told["content"][1]["text"] == TEXT
        assert told["stop"] == "end_turn"
        assert (told["usage"]["input_tokens"], told["usage"]["cache_read_input_tokens"]) == (12, 8)
    assert whole["request_id"].startswith("req_")


@DIALECTS
def test_tools_of_a_message(node: Node, polyglot: GatewayProcess, upstream: Upstream, behind: str) -> None:
    """Calls arrive, and their results go back."""
    upstream.on("caller", in_turn(script(behind, "tools", stream=False), script(behind, "text", stream=False)))

    told = node.scenario("anthropic.mjs", polyglot.url, "tools", f"{behind}/caller")

    assert told["calls"] == [{"name": TOOL, "input": ARGUMENTS}, {"name": "now", "input": {}}]
    assert told["content"][0]["text"] == TEXT


@DIALECTS
def test_stream_that_dies(node: Node, polyglot: GatewayProcess, upstream: Upstream, behind: str) -> None:
    """A stream that breaks is an APIError behind what came, and no `message_stop`."""
    upstream.on("frail", dies(*BEGUN[behind]))

    told = node.scenario("anthropic.mjs", polyglot.url, "events", f"{behind}/frail")

    assert "content_block_delta" in told["seen"]
    assert "message_stop" not in told["seen"]
    assert told["failure"]["isApiError"]
    assert told["failure"]["error"]["details"] == {"error_code": "stream_broken"}


def test_failures_of_messages(node: Node, polyglot: GatewayProcess, upstream: Upstream) -> None:
    """Refusals are the exceptions that they are with Anthropic, and tell the request id."""
    upstream.on("picky", openai_refuses(400))
    upstream.on("limited", openai_refuses(429, "rate_limit_exceeded", headers=("retry-after-ms: 1",)))

    unknown = node.scenario("anthropic.mjs", polyglot.url, "failure", "nothing-like-this")
    picky = node.scenario("anthropic.mjs", polyglot.url, "failure", "chat/picky")
    limited = node.scenario("anthropic.mjs", polyglot.url, "failure", "chat/limited")

    assert (unknown["name"], unknown["status"], unknown["type"]) == ("NotFoundError", 404, "not_found_error")
    assert (picky["name"], picky["type"]) == ("BadRequestError", "invalid_request_error")
    assert (limited["name"], limited["type"]) == ("RateLimitError", "rate_limit_error")
    assert unknown["requestID"].startswith("req_")
    assert len(upstream.received("limited")) == 3


def test_tokens_are_counted(node: Node, polyglot: GatewayProcess) -> None:
    """Tokens are counted before anything is said."""
    assert 1 <= node.scenario("anthropic.mjs", polyglot.url, "count", "sim/echo")["input_tokens"] < 30


@DIALECTS
def test_response(node: Node, polyglot: GatewayProcess, upstream: Upstream, behind: str) -> None:
    """Text and calls arrive, whole and streamed."""
    upstream.on("caller", script(behind, "tools", stream=False))
    whole = node.scenario("responses.mjs", f"{polyglot.url}/v1", "whole", f"{behind}/caller")
    upstream.on("caller", script(behind, "tools", stream=True))
    streamed = node.scenario("responses.mjs", f"{polyglot.url}/v1", "streamed", f"{behind}/caller")

    assert whole == streamed
    assert whole["status"] == "completed"
    assert [call["name"] for call in whole["calls"]] == [TOOL, "now"]


def test_failures_of_responses(node: Node, polyglot: GatewayProcess) -> None:
    """Refusals are the exceptions that they are with OpenAI."""
    told = node.scenario("responses.mjs", f"{polyglot.url}/v1", "failure", "chat/any")

    assert (told["name"], told["code"], told["param"]) == (
        "BadRequestError",
        "unsupported_feature",
        "previous_response_id",
    )
    assert told["requestID"].startswith("req_")
