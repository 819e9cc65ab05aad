"""The servers that all end-to-end tests share, started once, and the clients that talk to them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import openai
import pytest

from tests.e2e.support.node import Node
from tests.e2e.support.upstream import LIMIT_S, Upstream, listening
from tests.e2e.support.wire import Wire, connected
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

PROVIDER_KEY = "sk-canary-of-the-provider"


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return the configuration of the gateway under test: quick to retry, and with small bounds."""
    box = {"kind": "openai", "base_url": upstream.url, "api_key": PROVIDER_KEY, "models": ["deep/er/model"]}
    return {
        "server": {"body_max_bytes": 200_000},
        "providers": {
            "sim": {"kind": "sim", "models": ["echo"]},
            "box": box,
            "closed": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
        },
        "models": {
            "verbatim": {"targets": [{"provider": "box", "model": "verbatim"}]},
            "pair": {"targets": [{"provider": "box", "model": "first"}, {"provider": "box", "model": "second"}]},
        },
        "retry": {"base_s": 0.01, "max_s": 0.01, "budget_floor_per_s": 1000},
        "streaming": {"keep_alive_s": 3600},
        "circuit_breaker": {"enabled": False},  # tests share targets, and many make them fail
    }


@pytest.fixture(scope="session")
def upstream() -> Iterator[Upstream]:
    """Run the provider that records and obeys."""
    with listening() as provider:
        yield provider


@pytest.fixture(scope="session")
def gateway(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run the gateway under test."""
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture(scope="session")
def impatient(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway that fills every silence of a twentieth of a second."""
    with running(Start({**configuration(upstream), "streaming": {"keep_alive_s": 0.05}})) as process:
        yield process


@pytest.fixture
def wire(gateway: GatewayProcess) -> Iterator[Wire]:
    """Connect to the gateway with a plain socket."""
    with connected(gateway.port) as connection:
        yield connection


@pytest.fixture
def http(gateway: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to the gateway without an SDK."""
    with httpx2.Client(base_url=gateway.url, **LOCAL) as client:
        yield client


@pytest.fixture(scope="session")
def sdk(gateway: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Talk to the gateway through OpenAI's own client, which may retry as it likes."""
    with openai_client(f"{gateway.url}/v1") as client:
        yield client


@pytest.fixture(scope="session")
def direct(upstream: Upstream) -> Iterator[openai.OpenAI]:
    """Talk to the provider without a gateway, to see what the SDK sends and gets."""
    with openai_client(upstream.url) as client:
        yield client


@pytest.fixture(scope="session")
def node() -> Node:
    """Install the official SDKs for Node."""
    try:
        return Node()
    except LookupError as missing:
        pytest.skip(str(missing))


def openai_client(base_url: str) -> openai.OpenAI:
    """Return OpenAI's client for an address on this machine."""
    plain = openai.DefaultHttpxClient(**LOCAL)
    return openai.OpenAI(base_url=base_url, api_key="sk-of-the-caller", http_client=plain, timeout=LIMIT_S)
