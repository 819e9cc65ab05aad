"""Settings that a provider of its kind cannot use."""

from __future__ import annotations

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from app.config.checks.complaint import Complaint, Names
from app.config.routing import Provider
from app.config.schema import Settings
from app.config.trees import Loc

# What kinds that answer on this machine by themselves have no use for, and must therefore not be given.
_WITHOUT: Final = MappingProxyType(
    {
        "sim": ("base_url", "api_key", "api_keys", "headers", "proxy"),
        "local": ("base_url", "api_key", "api_keys", "proxy"),
    }
)


def unusable_settings(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find what a provider has no use for, and keys that are given twice."""
    for name, provider in settings.providers.items():
        for field, complaint in _provider(provider):
            yield ("providers", name, field), complaint


def _provider(provider: Provider) -> Iterator[tuple[str, Complaint]]:
    for field in _WITHOUT.get(provider.kind, ()):
        if getattr(provider, field):
            yield field, Complaint("(set)", f"no {field}: kind {provider.kind} needs none", "remove it")
    if provider.api_keys and provider.api_key:
        yield "api_keys", Complaint("(set)", "either api_key or api_keys", "move the one key into the list")
    if provider.api_keys and "authorization" in provider.headers:
        expected = "no authorization besides api_keys"
        yield "headers", Complaint("authorization is set", expected, "remove one of the two")
