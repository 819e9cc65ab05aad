"""A gateway in front of a provider that speaks every dialect, and the official clients that talk to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from tests.e2e.conftest import PROVIDER_KEY, configuration, openai_client
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

CALLER_KEY = "sk-of-the-caller"


def dialects_configuration(upstream: Upstream) -> dict[str, Any]:
    """Return a configuration with a provider for each dialect; its name is that of the dialect."""
    usual = configuration(upstream)
    address = {"base_url": upstream.url, "api_key": PROVIDER_KEY}
    providers = {
        "chat": {"kind": "openai", **address},
        "anthropic": {"kind": "anthropic", **address},
        "responses": {"kind": "openai", "api": "responses", **address},
        "gemini": {"kind": "gemini", "base_url": f"{upstream.url}beta", "api_key": PROVIDER_KEY},
        "strict": {"kind": "anthropic", "unsupported": "error", "max_tokens": 77, **address},
    }
    models = {
        "moves-on": {
            "targets": [{"provider": "chat", "model": "first"}, {"provider": "anthropic", "model": "claude-second"}]
        }
    }
    return {
        **usual,
        "providers": {**usual["providers"], **providers},
        "models": {**usual["models"], **models},
    }


@pytest.fixture(scope="session")
def polyglot(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run the gateway."""
    with running(Start(dialects_configuration(upstream))) as process:
        yield process


@pytest.fixture(scope="session")
def claude(polyglot: GatewayProcess) -> Iterator[anthropic.Anthropic]:
    """Talk to the gateway through Anthropic's own client, which may retry as it likes."""
    with anthropic_client(polyglot.url) as client:
        yield client


@pytest.fixture(scope="session")
def gpt(polyglot: GatewayProcess) -> Iterator[openai.OpenAI]:
    """Talk to the gateway through OpenAI's own client."""
    with openai_client(f"{polyglot.url}/v1") as client:
        yield client


@pytest.fixture
def plain(polyglot: GatewayProcess) -> Iterator[httpx2.Client]:
    """Talk to the gateway without an SDK."""
    headers = {"content-type": "application/json"}
    with httpx2.Client(base_url=polyglot.url, **LOCAL, headers=headers) as client:
        yield client


def anthropic_client(base_url: str) -> anthropic.Anthropic:
    """Return Anthropic's client for an address on this machine."""
    plain = anthropic.DefaultHttpxClient(**LOCAL)
    return anthropic.Anthropic(base_url=base_url, api_key=CALLER_KEY, http_client=plain, timeout=LIMIT_S)
