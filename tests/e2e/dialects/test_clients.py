"""Frameworks that know the gateway by its address only: the programs of docs/clients.md run as they are printed."""

from __future__ import annotations

import json

import pytest

from tests.e2e.dialects.printed import program, run, script_of
from tests.e2e.dialects.speaking import SAID, TEXT, Heard, script
from tests.e2e.support.answers import in_turn
from tests.e2e.support.node import Node
from tests.e2e.support.upstream import Script, Upstream
from tests.support.gateway import GatewayProcess

PAGE = "clients.md"
TOKENS = SAID["text"].tokens


def calls_then_talks(behind: str, *, stream: bool = False) -> Script:
    """Call the tool, and then talk."""
    return in_turn(script(behind, "weather", stream=stream), script(behind, "text", stream=stream))


def went_round(upstream: Upstream) -> bool:
    """Say whether the tool was offered, and its result sent back."""
    first, second = upstream.received("agent")
    return "get_weather" in str(json.loads(first.body)["tools"]) and "It is sunny in Rome." in second.body.decode()


@pytest.mark.parametrize(
    ("mark", "behind"),
    [("bind_tools", "anthropic"), ("OpenAIChatCompletionsModel", "responses"), ("OpenAIChatModel", "chat")],
    ids=["langchain", "agents", "pydantic-ai"],
)
def test_agent_with_a_tool(polyglot: GatewayProcess, upstream: Upstream, mark: str, behind: str) -> None:
    """Agents call their tools, send the results back, and tell the answer."""
    upstream.on("agent", calls_then_talks(behind))

    printed = run(program(PAGE, mark), polyglot, f"{behind}/agent")

    assert printed.strip() == TEXT
    assert went_round(upstream)


def test_langchain_streams(polyglot: GatewayProcess, upstream: Upstream) -> None:
    """Text comes in pieces, and what it took at the end."""
    upstream.on("talker", script("responses", "text", stream=True))

    printed = run(program(PAGE, "stream_usage"), polyglot, "responses/talker")

    assert printed.split("\n")[:2] == [TEXT, str(TOKENS[0] + TOKENS[2])]


def test_llama_index(polyglot: GatewayProcess, upstream: Upstream) -> None:
    """Its agent, which streams, calls its tool, sends the result back, and tells the answer."""
    upstream.on("agent", calls_then_talks("anthropic", stream=True))

    printed = run(program(PAGE, "FunctionAgent"), polyglot, "anthropic/agent")

    assert printed.strip() == TEXT
    assert went_round(upstream)


def test_instructor(polyglot: GatewayProcess, upstream: Upstream) -> None:
    """The object that was asked for comes as the one tool call that was demanded."""
    said: Heard = SAID["weather"]._replace(calls=(("Place", {"city": "Rome"}),))
    upstream.on("former", script("anthropic", "weather", stream=False, said=said))

    printed = run(program(PAGE, "import instructor"), polyglot, "anthropic/former")

    (asked,) = upstream.received("former")
    assert printed.strip() == "Rome"
    assert "Place" in str(json.loads(asked.body)["tool_choice"])


def test_ai_sdk(node: Node, polyglot: GatewayProcess, upstream: Upstream) -> None:
    """Vercel's SDK calls its tool, sends the result back, and tells the answer."""
    upstream.on("agent", calls_then_talks("anthropic"))

    printed = node.program(script_of(program(PAGE, "generateText", "js"), polyglot, "anthropic/agent"))

    assert printed.strip() == TEXT
    assert went_round(upstream)


def test_ai_sdk_streams(node: Node, polyglot: GatewayProcess, upstream: Upstream) -> None:
    """Text comes in pieces, and what it took at the end."""
    upstream.on("talker", script("responses", "text", stream=True))

    printed = node.program(script_of(program(PAGE, "streamText", "js"), polyglot, "responses/talker"))

    assert printed.split("\n")[:2] == [TEXT, str(TOKENS[0] + TOKENS[2])]
