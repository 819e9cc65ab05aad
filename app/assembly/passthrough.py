"""Assemble the passthrough of unchanged requests: its providers and its pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from app.assembly.attempts import reading_options
from app.assembly.deps import Deps
from app.assembly.stages import passing_attempt_stages, passing_call_stages
from app.assembly.tracing import Composing
from app.config.presets import PRESETS
from app.config.routing import Provider as ProviderSettings
from app.config.schema import Settings
from app.core.call import Call, Target
from app.core.gateway import Passing
from app.core.pipeline import Handler, compose
from app.core.routing.table import RoutingTable
from app.providers.endpoint import Endpoints, Provider
from app.providers.mistral_batches import MistralCodec
from app.providers.passthrough import PassCodec, PassEndpoint, passing
from app.stages.fallback import Fallback

_INSIDE: Final = frozenset({"local"})  # serves the gateway's own model only


def passes_on(settings: Settings) -> bool:
    """Return whether any requests are passed on unchanged."""
    return settings.passthrough.enabled or settings.files.enabled


def pass_on(
    settings: Settings, deps: Deps, reached: Mapping[str, Provider], routing: RoutingTable, trace: Composing
) -> Passing | None:
    """Return the pipeline of requests that are passed on unchanged; None if none are."""
    if not passes_on(settings):
        return None
    raw, files, batches = _raw(settings), _having(settings, "files"), _having(settings, "batches")
    reading, body_max_bytes = reading_options(settings), settings.server.body_max_bytes
    endpoints = {
        name: PassEndpoint(_passing(reached[name], settings.providers[name]), reading, deps.clock, body_max_bytes)
        for name in dict.fromkeys((*raw, *files, *batches))
    }
    attempt = compose(passing_attempt_stages(settings, deps, trace), Endpoints(endpoints))

    def only(call: Call) -> tuple[Target, ...]:
        return (routing.target(call.request.model),)

    last = Fallback(only, attempt, frozenset(), deps.listener)
    handler: Handler[Call] = compose(passing_call_stages(settings, deps, trace, only), trace.request(last))
    return Passing(handler, raw, files, batches, settings.files.enabled, settings.files.max_bytes)


def _raw(settings: Settings) -> tuple[str, ...]:
    given = settings.passthrough
    if not given.enabled:
        return ()
    return given.providers or tuple(name for name, one in settings.providers.items() if one.kind not in _INSIDE)


def _having(settings: Settings, what: str) -> tuple[str, ...]:
    """Return the providers that have files, or batches: the configured ones, else those that are known to have them."""
    given = settings.files
    if not given.enabled:
        return ()
    if given.providers:
        return given.providers
    known = {kind for kind, preset in PRESETS.items() if what in preset.keeps}
    return tuple(name for name, one in settings.providers.items() if one.kind in known)


def _passing(reached: Provider, given: ProviderSettings) -> Provider:
    return passing(reached, _store(given), MistralCodec if given.kind == "mistral" else PassCodec)


def _store(given: ProviderSettings) -> str:
    """Return the template of the path to files and batches below the provider's address."""
    if given.kind != "azure":
        return "{path}"
    if given.api_version is None:
        return "/openai/v1{path}"
    return f"/openai{{path}}?api-version={quote(given.api_version, safe='')}"
