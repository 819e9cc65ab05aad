"""Who counts tokens: the providers that have an address for that, and the gateway for all others."""

from __future__ import annotations

from app.config.presets import dialect_of
from app.config.schema import Settings
from app.stages.count_tokens import CountTokens


def count_tokens(settings: Settings) -> CountTokens:
    """Return the stage that counts by an estimate."""
    given = settings.providers.items()
    return CountTokens(
        frozenset(name for name, one in given if dialect_of(one.kind, one.base_url or "") == "anthropic")
    )
