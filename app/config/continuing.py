"""Which targets can go on with a partial answer: what operators declare, else what is known of a kind of provider."""

from __future__ import annotations

from fnmatch import fnmatchcase

from app.config.presets import PRESETS
from app.config.routing import Provider


def continues(given: Provider, model: str) -> str | None:
    """Return how a provider is asked to go on with a text, for one of its models; None if it cannot, or may not."""
    if given.continues != "auto":
        return None if given.continues == "none" else given.continues
    preset = PRESETS.get(given.kind)
    if preset is None or preset.continues == "none" or given.api != "chat":
        return None
    address = (given.base_url or "").rstrip("/")
    if not address.endswith(preset.continues_at):
        return None
    known = any(fnmatchcase(model, pattern) for pattern in preset.continues_models)
    return preset.continues if known else None
