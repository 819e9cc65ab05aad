"""Providers in their own dialects: their addresses, and what they need to be usable."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.config.presets import PRESETS, dialect_of
from app.providers.registry import CODECS, base_of
from tests.config.cases import loaded, problem, refused


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("{kind: bedrock, region: eu-central-1}", "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        (
            "{kind: vertex, region: europe-west1, project: p}",
            "https://europe-west1-aiplatform.googleapis.com/v1/projects/p/locations/europe-west1/publishers/google",
        ),
        (
            "{kind: vertex, region: global, project: p}",
            "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/google",
        ),
        ("{kind: azure, account: res}", "https://res.openai.azure.com"),
        ("{kind: azure, base_url: 'https://own.example'}", "https://own.example"),
        ("{kind: cloudflare, account: a1}", "https://api.cloudflare.com/client/v4/accounts/a1/ai/v1"),
    ],
)
def test_addresses_are_filled(tmp_path: Path, text: str, address: str) -> None:
    """What a preset leaves open is filled by the settings of that name, and a written address wins."""
    assert loaded(tmp_path, f"providers: {{p: {text}}}").settings.providers["p"].base_url == address


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{kind: bedrock}", "providers.p.region"),
        ("{kind: azure}", "providers.p.account"),
        ("{kind: vertex, region: x}", "providers.p.project"),
        ("{kind: bedrock, base_url: 'http://a'}", "providers.p.region"),
        ("{kind: bedrock, region: x, aws_access_key_id: a}", "providers.p.aws_secret_access_key"),
        ("{kind: bedrock, region: x, aws_secret_access_key: a}", "providers.p.aws_access_key_id"),
        ("{kind: bedrock, region: 'a b'}", "providers.p.region"),
        ("{kind: openai, unsupported: maybe}", "providers.p.unsupported"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, text: str, path: str) -> None:
    """A part of an address, or half of a key, that is not there is a problem of its own."""
    assert problem(tmp_path, f"providers: {{p: {text}}}").path == path


def test_everything_missing_is_named_at_once(tmp_path: Path) -> None:
    """Two open parts are two problems."""
    found = refused(tmp_path, "providers: {p: {kind: vertex}}").problems

    assert [each.path for each in found] == ["providers.p.project", "providers.p.region"]


def test_a_key_needs_no_region_at_a_written_address(tmp_path: Path) -> None:
    """What only signatures need is not asked for where there is a key."""
    settings = loaded(tmp_path, "providers: {p: {kind: bedrock, base_url: 'http://a', api_key: k}}").settings

    assert settings.providers["p"].region is None


def test_every_dialect_has_a_codec() -> None:
    """No preset names a dialect that nobody speaks."""
    assert {preset.dialect for preset in PRESETS.values()} <= CODECS.keys()


@pytest.mark.parametrize(
    ("kind", "given", "dialect", "base"),
    [
        ("gemini", "https://g", "gemini", "https://g/v1beta"),
        ("gemini", "https://g/v1", "gemini", "https://g/v1"),
        ("gemini", "https://g/v1beta/openai", "openai", "https://g/v1beta/openai"),
        ("cohere", "https://c/v2", "cohere", "https://c"),
        ("cohere", "https://c/compatibility/v1", "openai", "https://c/compatibility/v1"),
        ("ollama", "http://o", "ollama", "http://o"),
        ("ollama", "http://o/api", "ollama", "http://o"),
        ("ollama", "http://o/v1", "openai", "http://o/v1"),
        ("anthropic", "https://a/v1", "anthropic", "https://a"),
        ("azure", "https://z/openai/v1", "azure", "https://z"),
        ("mistral", "https://m/v1", "openai", "https://m/v1"),
        ("acme", "https://m/v1", "acme", "https://m/v1"),
    ],
)
def test_addresses_may_be_written_in_several_ways(kind: str, given: str, dialect: str, base: str) -> None:
    """What the codec adds by itself may be written or not, and a compatible endpoint is spoken to as one."""
    found = dialect_of(kind, given)

    assert (found, base_of(found, given)) == (dialect, base)
