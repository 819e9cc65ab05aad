"""The programs in the documentation run as they are printed: frameworks that know the gateway by its address only."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.dialects.speaking import TEXT, script
from tests.e2e.support.answers import in_turn
from tests.e2e.support.upstream import LIMIT_S, Script, Upstream
from tests.support.gateway import GatewayProcess, clean_environment

DOCS = Path(__file__).parents[3] / "docs"
ADDRESS = "http://127.0.0.1:8080"
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def program(page: str, mark: str) -> str:
    """Return the program on a page that has this in it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    (found,) = [block for block in _BLOCK.findall(text) if mark in block]
    return str(found)


def run(printed: str, gateway: GatewayProcess, model: str) -> str:
    """Run a program against the gateway, with its model exchanged, and return what it prints."""
    assert ADDRESS in printed
    code = printed.replace(ADDRESS, gateway.url).replace('"smart"', f'"{model}"')
    environment = clean_environment({"PYTHONIOENCODING": "utf-8", "NO_PROXY": "127.0.0.1"})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, timeout=3 * LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


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
