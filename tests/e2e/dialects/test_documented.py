"""The programs in the documentation run as they are printed: frameworks that know the gateway by its address only."""

from __future__ import annotations

import json

import pytest

from tests.e2e.dialects.printed import program, run
from tests.e2e.dialects.speaking import TEXT, script
from tests.e2e.support.answers import in_turn
from tests.e2e.support.upstream import Script, Upstream
from tests.support.gateway import GatewayProcess


def calls_then_talks(behind: str) -> Script:
    """Call the tool, and then talk."""
    return in_turn(script(behind, "weather", stream=False), script(behind, "text", stream=False))


@pytest.mark.parametrize(
    ("page", "mark", "behind"),
    [
        ("anthropic.md", "client.messages.create", "chat"),
        ("anthropic.md", "client.messages.create", "responses"),
        ("responses.md", "client.responses.create", "anthropic"),
    ],
)
def test_first_call(polyglot: GatewayProcess, upstream: Upstream, page: str, mark: str, behind: str) -> None:
    """The first program on each page says hello."""
    upstream.on("talker", script(behind, "text", stream=False))

    assert run(program(page, mark), polyglot, f"{behind}/talker").strip() == TEXT


@pytest.mark.parametrize(
    ("page", "mark", "behind"),
    [
        ("anthropic.md", "AnthropicModel", "chat"),
        ("responses.md", "from agents import", "anthropic"),
        ("responses.md", 'OpenAIResponsesModel("smart", provider', "anthropic"),
        ("responses.md", "langchain_openai", "chat"),
    ],
)
def test_agent_with_a_tool(polyglot: GatewayProcess, upstream: Upstream, page: str, mark: str, behind: str) -> None:
    """Agents call their tools, send the results back, and tell the answer."""
    upstream.on("agent", calls_then_talks(behind))

    printed = run(program(page, mark), polyglot, f"{behind}/agent")

    assert printed.strip() == TEXT
    first, second = upstream.received("agent")
    assert "get_weather" in str(json.loads(first.body)["tools"])
    assert "It is sunny in Rome." in second.body.decode()
