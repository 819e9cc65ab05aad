"""Whether there can be keys at all: without any, nothing that is said of keys costs a call anything."""

from __future__ import annotations

from app.config.schema import Settings


def may_have_keys(settings: Settings) -> bool:
    """Say whether callers may bring keys, or tokens, that mean something here."""
    token = settings.admin.token.get_secret_value()
    return bool(settings.keys or settings.auth.jwt.jwks_url or settings.redis.url or token)
