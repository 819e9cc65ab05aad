"""OpenAI's own SDK for Node works through the gateway by its base URL alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import pytest

from tests.e2e.support.answers import ROLE, dies, refused, whole, word
from tests.e2e.support.node import FOLDER, Node
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import GatewayProcess

TEXT = "Say five words, please."

Run: TypeAlias = Callable[..., dict[str, Any]]


@pytest.fixture(scope="session")
def run(node: Node, gateway: GatewayProcess) -> Run:
    """Run one scenario of sdk.mjs and return what it prints; by default against the gateway."""

    def scenario(name: str, model: str, base_url: str = f"{gateway.url}/v1") -> dict[str, Any]:
        return node.scenario("sdk.mjs", base_url, name, model)

    return scenario


def test_whole_answer(run: Run) -> None:
    """`create` returns the text and the gateway's request id."""
    result = run("whole", "sim/echo")

    assert result["text"] == TEXT
    assert result["request_id"].startswith("req_")


def test_forwards_the_body_byte_for_byte(run: Run, upstream: Upstream) -> None:
    """What the SDK sends is what the provider receives."""
    upstream.on("verbatim", whole())

    run("whole", "verbatim", upstream.url)
    run("whole", "verbatim")

    sent, forwarded = upstream.received("verbatim")
    assert sent.body == forwarded.body


@pytest.mark.parametrize("scenario", ["streamed", "helper"])
def test_streamed_answer(run: Run, scenario: str) -> None:
    """Streams arrive, by `create` and by the helper that puts them together."""
    assert run(scenario, "sim/echo")["text"] == TEXT


def test_tool_call(run: Run) -> None:
    """Tool calls arrive, whole and streamed."""
    result = run("tools", "sim/echo?tool=look_up")

    assert [call["name"] for call in result["calls"]] == ["look_up", "look_up"]
    assert {call["arguments"] for call in result["calls"]} == {'{"text":"Say five words, please."}'}


def test_models(run: Run) -> None:
    """Models are listed and described, slashes in their names included."""
    result = run("models", "box/deep/er/model")

    assert result["retrieved"] == "box/deep/er/model"
    assert "sim/echo" in result["listed"]


def test_failure(run: Run, upstream: Upstream) -> None:
    """A refusal is the exception that it is with OpenAI, and tells field, code and request id."""
    upstream.on("picky", refused(400))

    unknown = run("failure", "nothing-like-this")
    picky = run("failure", "box/picky")

    assert (unknown["name"], unknown["status"], unknown["code"]) == ("NotFoundError", 404, "unknown_model")
    assert (picky["name"], picky["param"]) == ("BadRequestError", "seed")
    assert unknown["requestID"].startswith("req_")


def test_retries_only_where_it_helps(run: Run, upstream: Upstream) -> None:
    """The SDK adds no tries to those that the gateway has spent."""
    upstream.on("broken", refused(500))

    result = run("failure", "box/broken")

    assert (result["name"], result["status"]) == ("InternalServerError", 502)
    assert len(upstream.received("broken")) == 3


def test_broken_stream(run: Run, upstream: Upstream) -> None:
    """A stream that dies in the middle is an error behind its text, not a short answer."""
    upstream.on("frail", dies(ROLE, word("half of")))

    result = run("streamed", "box/frail")

    assert result["text"] == "half of"
    assert (result["failure"]["isApiError"], result["failure"]["code"]) == (True, "stream_broken")


def test_lock_names_no_registry() -> None:
    """The lock file fixes what is installed by its hash, and leaves the registry to the machine's own settings."""
    lock = (FOLDER / "package-lock.json").read_text(encoding="utf-8")

    assert "http" not in lock
    assert '"integrity": "sha512-' in lock
