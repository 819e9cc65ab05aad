"""Which providers are asked for their models."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.assembly.providers import provider
from app.config.presets import PRESETS
from app.config.schema import Settings
from app.core.ports import HttpRequest
from app.providers.discovery import Source


def sources(settings: Settings, deps: Deps) -> tuple[Source, ...]:
    """Return where the lists of models are, with what it takes to read them."""
    found = []
    for name, given in settings.providers.items():
        if not given.discover:
            continue
        reached, preset = provider(name, given, deps), PRESETS.get(given.kind)
        path = "/models" if preset is None or preset.dialect == "openai" else preset.models
        base_url = given.base_url or ""
        url = (base_url.removesuffix("/v1") if path.startswith("/v1/") else base_url) + path
        request = HttpRequest("GET", url, reached.headers, b"", settings.timeouts.connect_s)
        found.append(Source(name, request, reached.client, reached.signer, given.discover_every_s))
    return tuple(found)
