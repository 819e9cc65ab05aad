"""Which models there are, as clients and operators see it: details, stars, what providers say, and `wizard models`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import in_turn, refused, streamed, whole
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, clean_environment, eventually, running, wizard

USER: Any = [{"role": "user", "content": "hi"}]


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return a configuration with stars, and with providers that are asked for their models."""
    root = upstream.url.removesuffix("/v1")
    return {
        "providers": {
            "openai": {"kind": "openai", "base_url": upstream.url, "models": ["gpt-4o-mini"], "discover": True},
            "gemini": {"kind": "gemini", "base_url": f"{root}/v1beta", "api_key": "k", "discover": True},
            "quiet": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "discover": True},
            "sim": {"kind": "sim"},
        },
        "models": {
            "picky": {
                "targets": [{"provider": "openai", "model": "gpt-3.5-turbo"}, {"provider": "sim", "model": "echo"}]
            },
            "old-*": {"targets": [{"provider": "openai", "model": "new-*"}], "fallbacks": ["sim/echo"]},
            "*": {"targets": [{"provider": "openai", "model": "*"}]},
        },
        "catalogue": {"models": {"openai/own": {"context_window": 77, "capabilities": ["vision"]}}},
        "retry": {"base_s": 0.01, "max_s": 0.01, "max_attempts": 1},
    }


@pytest.fixture(scope="module")
def models_gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway in front of a provider that knows its own models."""
    listed = b'{"data":[{"id":"gpt-4o-mini"},{"id":"new-model"}]}'
    google = b'{"models":[{"name":"models/gemini-2.5-pro"},{"name":"models/gemini-x"}]}'
    upstream.on("", lambda exchange: exchange.answer(google if "v1beta" in exchange.request.path else listed))
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture
def asked(models_gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to it."""
    with httpx2.Client(base_url=models_gateway.url, **LOCAL) as client:
        yield client


def ids(client: httpx2.Client) -> set[str]:
    """Return the names of all listed models."""
    return {model["id"] for model in client.get("/v1/models").json()["data"]}


def test_providers_are_asked_for_their_models(asked: httpx2.Client, upstream: Upstream) -> None:
    """What providers say is listed with their own names before it, and a silent one does no harm."""
    eventually(lambda: {"openai/new-model", "gemini/gemini-x"} <= ids(asked), "the models were never listed")

    received = {received.path: received for received in upstream.received("")}
    assert received["/v1beta/models"].headers["x-goog-api-key"] == "k"
    assert ids(asked) >= {"picky", "openai/gpt-4o-mini"}


def test_models_are_described(asked: httpx2.Client) -> None:
    """A model that is known has its window, its capabilities and its price; a route those of its first target."""
    mini = asked.get("/v1/models/openai/gpt-4o-mini").json()
    route = asked.get("/v1/models/picky").json()
    own = asked.get("/v1/models/openai/own").json()
    starred = asked.get("/v1/models/old-thing").json()

    assert (mini["context_window"], mini["max_output_tokens"]) == (128_000, 16_384)
    assert mini["capabilities"] == ["json_schema", "tools", "vision"]
    assert mini["pricing"] == {"input": 0.15, "output": 0.6, "cached": 0.075}
    assert (route["capabilities"], route["owned_by"]) == (["tools"], "wizard")
    assert (own["context_window"], own["capabilities"]) == (77, ["vision"])
    assert starred["owned_by"] == "wizard"


def test_stars_lead_to_targets(asked: httpx2.Client, upstream: Upstream) -> None:
    """A name that fits a star is asked for under the name that its target makes of it."""
    upstream.on("new-thing", whole())
    upstream.on("anything", streamed())

    one = asked.post("/v1/chat/completions", json={"model": "old-thing", "messages": USER})
    two = asked.post("/v1/chat/completions", json={"model": "anything", "messages": USER, "stream": True})

    assert (one.headers["x-wizard-model"], two.headers["x-wizard-model"]) == ("new-thing", "anything")


def test_a_starred_route_falls_back(asked: httpx2.Client, upstream: Upstream) -> None:
    """Its fallbacks are those of any route."""
    upstream.on("new-broken", in_turn(refused(500)))

    reply = asked.post("/v1/chat/completions", json={"model": "old-broken", "messages": USER})

    assert (reply.status_code, reply.headers["x-wizard-provider"]) == (200, "sim")


def test_what_the_catalogue_knows_passes_targets_by(asked: httpx2.Client) -> None:
    """A picture never goes to a model that is known to see nothing, if there is another one."""
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    body = {"model": "picky", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, picture]}]}

    reply = asked.post("/v1/chat/completions", json=body)

    assert (reply.status_code, reply.headers["x-wizard-provider"], reply.headers["x-wizard-attempts"]) == (
        200,
        "sim",
        "1",
    )


def test_known_prices_are_charged(asked: httpx2.Client, upstream: Upstream) -> None:
    """A call to a model with a known price says what it cost, without any configuration."""
    upstream.on("gpt-4o-mini", whole())

    reply = asked.post("/v1/chat/completions", json={"model": "openai/gpt-4o-mini", "messages": USER})

    assert float(reply.headers["x-wizard-cost-usd"]) == pytest.approx((3 * 0.15 + 2 * 0.6) / 1e6)


def test_the_command_shows_models(models_gateway: GatewayProcess) -> None:
    """`wizard models` prints a line for each model of a configuration, or of a kind, for people and for programs."""

    def said(*arguments: str) -> str:
        return subprocess.run(
            wizard("models", *arguments),
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT_S,
        ).stdout

    table = said("--config", str(models_gateway.config_path))
    kind = [msgspec.json.decode(line) for line in said("--kind", "gemini", "--json").splitlines()]

    assert "openai/gpt-4o-mini" in table
    assert "128000" in table
    assert "catalogue of 2026" in table
    assert {"gemini-2.5-pro"} <= {model["id"] for model in kind}
