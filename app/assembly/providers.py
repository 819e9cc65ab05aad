"""Assemble the providers: client, codec, headers, keys and signer of each."""

from __future__ import annotations

from importlib import import_module
from typing import Final, cast

import msgspec

from app import __version__
from app.assembly.deps import Deps
from app.config.plugins import PROVIDER_KINDS
from app.config.presets import PRESETS, dialect_of
from app.config.routing import Provider as ProviderSettings
from app.config.routing import Upstream
from app.config.schema import Settings
from app.core.ports import Codec, HttpRequest, Signer, UpstreamClient
from app.providers.canonical.stamps import Mint
from app.providers.discovery import Source
from app.providers.endpoint import BEARER, Provider, credential
from app.providers.keyring import KeyRing
from app.providers.local.upstream import LOCAL_ORIGIN
from app.providers.local.wheels import LOCAL_MODELS
from app.providers.openai.codec import OpenAiCodec
from app.providers.openai.quirks import NO_QUIRKS, Quirks
from app.providers.openai.stream_usage import StreamUsage
from app.providers.pool import PoolClient, PoolOptions, TlsOptions
from app.providers.rate_headers import RateHeaders
from app.providers.registry import CODECS, Build, CodecFactory, base_of, make_codec
from app.providers.sim import SIM_MODELS
from app.providers.special_clients import Way

_ASKED_FOR_USAGE: Final = frozenset({"openai", "azure"})  # the other dialects send usage unasked
_COMPATIBLE_TAKES: Final = frozenset(
    {"add_generation_prompt", "continue_final_message", "extra_content", "reasoning_content", "top_k"}
)


def providers(settings: Settings, deps: Deps) -> dict[str, Provider]:
    """Return the providers by name."""
    rings = _key_rings(settings, deps)
    found = {name: provider(name, given, deps, rings.get(name)) for name, given in settings.providers.items()}
    heard = RateHeaders(deps.quotas, deps.clock, deps.listener)
    for name in followed(settings):
        found[name] = msgspec.structs.replace(found[name], limits=heard)
    return found


def followed(settings: Settings) -> frozenset[str]:
    """Return the providers whose own limits are followed."""
    return frozenset(name for name, given in settings.providers.items() if given.follow_limits)


def provider(name: str, given: ProviderSettings, deps: Deps, keys: KeyRing | None = None) -> Provider:
    """Return one provider; `keys` is None for one with a single key or none."""
    usage = StreamUsage(asking=given.usage_in_streams == "auto")
    codec = OpenAiCodec()
    match given.kind:
        case "sim":
            return Provider(name, "http://sim/v1", (), codec, deps.sim, given.models or SIM_MODELS, usage=usage)
        case "local":
            headers = _headers(given, BEARER)
            return Provider(name, f"{LOCAL_ORIGIN}/v1", headers, codec, deps.local, LOCAL_MODELS, usage=usage)
        case _:
            return _remote(name, given, deps, keys)


def sources(settings: Settings, deps: Deps) -> tuple[Source, ...]:
    """Return the requests that read the model lists of providers with discovery."""
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


def _key_rings(settings: Settings, deps: Deps) -> dict[str, KeyRing]:
    """Return the key ring of each provider that has several keys."""
    secrets = {
        name: [key.get_secret_value() for key in given.api_keys]
        for name, given in settings.providers.items()
        if len(given.api_keys) > 1
    }
    return {name: KeyRing(name, pool, deps.clock, deps.listener) for name, pool in deps.keys.renew(secrets).items()}


def _remote(name: str, given: ProviderSettings, deps: Deps, keys: KeyRing | None) -> Provider:
    base_url = given.base_url or ""
    dialect = dialect_of(given.kind, base_url)
    preset = PRESETS.get(given.kind)
    key_header = BEARER if preset is None or dialect == "openai" else preset.key_header
    codec, usage = _codec(given, dialect, deps), None
    if dialect in _ASKED_FOR_USAGE and given.api == "chat":
        takes = preset is None or "stream_options" not in preset.drop
        usage = StreamUsage(asking=takes and given.usage_in_streams == "auto")
    return Provider(
        name=name,
        base_url=base_of(dialect, base_url),
        headers=_headers(given, key_header),
        codec=codec,
        client=_client(given, deps),
        models=given.models,
        keys=keys,
        signer=_signer(given, dialect, deps),
        key_header=key_header,
        usage=usage,
    )


def pool_options(given: Upstream) -> PoolOptions:
    """Return the bounds of each pool of connections."""
    per_origin_max = min(given.per_origin_max, given.connections_max)
    return PoolOptions(given.connections_max, per_origin_max, given.idle_s, given.age_s)


async def warmed(settings: Settings, deps: Deps) -> None:
    """Open connections to every provider that the pool reaches, so that the first calls find them."""
    for given in settings.providers.values():
        client = None if given.kind in {"sim", "local"} else _client(given, deps)
        if isinstance(client, PoolClient):
            base_url = given.base_url or ""
            base_url = base_of(dialect_of(given.kind, base_url), base_url)
            await client.warm(base_url, settings.upstream.warm, settings.timeouts.connect_s)


def _client(given: ProviderSettings, deps: Deps) -> UpstreamClient:
    way = _way(given)
    return deps.client if way == Way() else deps.ways.along(way)


def _way(given: ProviderSettings) -> Way:
    """Return how a provider is reached."""
    tls = TlsOptions(given.tls.ca_file, given.tls.certificate_file, given.tls.key_file)
    return Way(given.proxy, given.http2, tls)


def _codec(given: ProviderSettings, dialect: str, deps: Deps) -> Codec:
    build = Build(
        mint=Mint(deps.clock.wall, deps.chance),
        api_version=given.api_version,
        quirks=_quirks(given),
        unsupported=given.unsupported,
        max_tokens=given.max_tokens,
    )
    own = CODECS.get(dialect if given.api == "chat" else f"{dialect}-{given.api}")
    return make_codec(cast("CodecFactory", PROVIDER_KINDS.load(dialect)) if own is None else own, build)


def _quirks(given: ProviderSettings) -> Quirks:
    preset = PRESETS.get(given.kind)
    if preset is None:
        return NO_QUIRKS
    takes = preset.takes
    if given.kind == "openai" and given.base_url != preset.base_url:  # a compatible server: most accept these
        takes = _COMPATIBLE_TAKES
    quirks = Quirks(preset.rename, preset.drop, takes)
    return NO_QUIRKS if quirks == NO_QUIRKS else quirks


def _signer(given: ProviderSettings, dialect: str, deps: Deps) -> Signer | None:
    """Return the signer of requests to a provider without keys; its library is imported only if needed."""
    if given.api_key is not None or given.api_keys:
        return None
    if dialect == "bedrock":
        signing = import_module("app.providers.bedrock.signing")
        return cast("Signer", signing.AwsSigner(given.region, signing.aws_keys(*_aws(given)), deps.clock))
    if dialect == "vertex":
        tokens = import_module("app.providers.gemini.tokens")
        return cast("Signer", tokens.GoogleSigner(given.credentials_file))
    return None


def _aws(given: ProviderSettings) -> tuple[str | None, str | None, str | None]:
    secrets = (given.aws_access_key_id, given.aws_secret_access_key, given.aws_session_token)
    first, second, third = (None if secret is None else secret.get_secret_value() for secret in secrets)
    return first, second, third


def _headers(given: ProviderSettings, key_header: str) -> tuple[tuple[str, str], ...]:
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",  # frames and bodies are forwarded as received, so they must not be compressed
        "user-agent": f"wizard/{__version__}",
    }
    keys = given.api_keys if given.api_key is None else (given.api_key,)
    if len(keys) == 1:  # of several, one is chosen for each request
        name, value = credential(key_header, keys[0].get_secret_value())
        headers[name] = value
    headers.update({header.lower(): value for header, value in given.headers.items()})
    return tuple(headers.items())
