"""A provider that another package brings along: found by its entry point, spoken to by its own codec."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.config.cases import problem
from tests.e2e.support.answers import whole
from tests.e2e.support.upstream import Upstream
from tests.support.gateway import Start, running
from tests.support.planting import plant

CODEC = '''
"""OpenAI's dialect at another address, with a word of its own."""

import msgspec

from app.providers.openai.codec import OpenAiCodec
from app.providers.registry import Build


class AcmeCodec(OpenAiCodec):
    def encode(self, request, target):
        encoded = super().encode(request, target)
        return msgspec.structs.replace(encoded, path="/acme/ask", headers=(("x-acme", "1"),))


def make_codec(given: Build) -> AcmeCodec:
    assert given.max_tokens == 7
    return AcmeCodec()
'''
ENTRIES = """[wizard.providers]
acme = wizard_acme:make_codec
broken = wizard_nowhere:make_codec
empty = wizard_acme:CODEC
odd = wizard_acme:__doc__
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Install a package with a codec that works, and entry points that do not."""
    plant(tmp_path, "wizard_acme", CODEC, ENTRIES)
    return tmp_path


def test_an_installed_provider_answers(site: Path, upstream: Upstream) -> None:
    """Its kind is the entry point's name, and its codec decides what is sent where."""
    upstream.on("small", whole())
    provider = {"kind": "acme", "base_url": upstream.url, "api_key": "k", "max_tokens": 7}
    start = Start({"providers": {"mine": provider}}, variables={"PYTHONPATH": str(site)})

    with running(start) as gateway:
        reply = gateway.ask("mine/small")

    received = upstream.received("small")[0]
    assert reply.status_code == 200
    assert (received.path, received.headers["x-acme"]) == ("/v1/acme/ask", "1")
    assert received.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("broken", "cannot be imported (ModuleNotFoundError)"),
        ("empty", "cannot be imported (AttributeError)"),
        ("odd", "is nothing that can be called"),
        ("mystery", "one of sim, local, openai"),
    ],
)
def test_what_cannot_be_used_is_a_problem(
    site: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, kind: str, expected: str
) -> None:
    """A kind that nobody offers, or whose package is broken, is said before anything starts."""
    monkeypatch.syspath_prepend(site)

    found = problem(
        tmp_path_factory.mktemp("config"), f"providers: {{mine: {{kind: {kind}, base_url: 'http://a/v1'}}}}"
    )

    assert found.path == "providers.mine.kind"
    assert expected in found.expected
