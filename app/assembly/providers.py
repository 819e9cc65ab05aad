"""Whom attempts go to: clients, codecs, headers and keys of each provider."""

from __future__ import annotations

import msgspec

from app import __version__
from app.assembly.deps import Deps
from app.config.routing import Provider as ProviderSettings
from app.config.schema import Settings
from app.providers.endpoint import Provider
from app.providers.keyring import KeyRing
from app.providers.local.upstream import LOCAL_ORIGIN
from app.providers.local.wheels import LOCAL_MODELS
from app.providers.openai import OpenAiCodec
from app.providers.rate_headers import RateHeaders
from app.providers.sim import SIM_MODELS
from app.providers.stream_usage import StreamUsage, UsageCodec


def providers(settings: Settings, deps: Deps) -> dict[str, Provider]:
    """Return the providers by name."""
    rings = _key_rings(settings, deps)
    found = {name: _provider(name, given, deps, rings.get(name)) for name, given in settings.providers.items()}
    heard = RateHeaders(deps.quotas, deps.clock, deps.listener)
    for name in followed(settings):
        found[name] = msgspec.structs.replace(found[name], limits=heard)
    return found


def followed(settings: Settings) -> frozenset[str]:
    """Return the providers whose own limits are followed."""
    return frozenset(name for name, given in settings.providers.items() if given.follow_limits)


def _key_rings(settings: Settings, deps: Deps) -> dict[str, KeyRing]:
    """Return the keys of each provider that has several; with a single one there is nothing to choose."""
    secrets = {
        name: [key.get_secret_value() for key in given.api_keys]
        for name, given in settings.providers.items()
        if len(given.api_keys) > 1
    }
    return {name: KeyRing(name, pool, deps.clock, deps.listener) for name, pool in deps.keys.renew(secrets).items()}


def _provider(name: str, given: ProviderSettings, deps: Deps, keys: KeyRing | None) -> Provider:
    usage = StreamUsage(asking=given.usage_in_streams == "auto")
    codec = UsageCodec(OpenAiCodec(), usage)
    match given.kind:
        case "sim":
            return Provider(name, "http://sim/v1", (), codec, deps.sim, given.models or SIM_MODELS, usage=usage)
        case "local":
            headers = _headers(given)
            return Provider(name, f"{LOCAL_ORIGIN}/v1", headers, codec, deps.local, LOCAL_MODELS, usage=usage)
        case _:
            client = deps.proxied.through(given.proxy) if given.proxy else deps.client
            url, headers = given.base_url or "", _headers(given)
            return Provider(name, url, headers, codec, client, given.models, keys, usage=usage)


def _headers(given: ProviderSettings) -> tuple[tuple[str, str], ...]:
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",  # frames and bodies are forwarded as they come, so they must come plain
        "user-agent": f"wizard/{__version__}",
    }
    keys = given.api_keys if given.api_key is None else (given.api_key,)
    if len(keys) == 1:  # of several, each request has its own
        headers["authorization"] = f"Bearer {keys[0].get_secret_value()}"
    headers.update({header.lower(): value for header, value in given.headers.items()})
    return tuple(headers.items())
