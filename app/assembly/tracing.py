"""Spans around the stages, where tracing is on. OpenTelemetry is imported only then."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from app import __version__
from app.config.features.tracing import Tracing
from app.config.routing import Provider
from app.config.schema import Settings
from app.core.call import Attempt, Call
from app.core.clock import Clock
from app.core.pipeline import Handler, Stage
from app.core.ports import Chance

# Kinds that OpenTelemetry's conventions call something else (the attribute gen_ai.provider.name).
_SYSTEMS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "azure": "azure.ai.openai",
        "bedrock": "aws.bedrock",
        "gemini": "gcp.gemini",
        "mistral": "mistral_ai",
        "vertex": "gcp.vertex_ai",
        "xai": "x_ai",
    }
)
_PORTS: Final[Mapping[str, int]] = MappingProxyType({"http": 80, "https": 443})

A = TypeVar("A")  # an application


class Composing(Protocol):
    """Puts spans around stages (`app.telemetry.tracing.composing`); of itself it puts nothing around anything."""

    def call(self) -> Sequence[Stage[Call]]:
        """Return what stands outermost."""
        return ()

    def entry(self, name: str, stages: Sequence[Stage[Call]]) -> Sequence[Stage[Call]]:  # noqa: ARG002 - the port's
        """Return `stages` with spans for what they do before they pass a call on, or instead of that."""
        return stages

    def request(self, handler: Handler[Call]) -> Handler[Call]:
        """Return the handler that asks providers with a span around it."""
        return handler

    def target(self) -> Sequence[Stage[Attempt]]:
        """Return what stands outside the retries."""
        return ()

    def attempt(self) -> Sequence[Stage[Attempt]]:
        """Return what stands inside the retries."""
        return ()


class Untraced(Composing):
    """Tracing is off."""


UNTRACED: Final = Untraced()


class _Export(Protocol):
    """The way out of one configuration's spans; see `app.telemetry.tracing.exporting`."""

    @property
    def lost(self) -> int: ...

    def composing(self, peers: Mapping[str, object], clock: Clock) -> Composing: ...

    def of_routes(self) -> object: ...

    def close(self) -> None: ...


class Tracers:
    """
    The exports of spans: opened when a configuration first asks for one, and kept while newer ones ask for the same.

    Args:
        clock: Measures the time to the first token.

        chance: Decides which calls are traced.
    """

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._given: Tracing | None = None
        self._exports: list[_Export] = []  # the last one is in use; calls that began under another may still run

    @property
    def lost(self) -> int:
        """Return how many spans no collector took."""
        return sum(export.lost for export in self._exports)

    def composing(self, settings: Settings) -> Composing:
        """Return what puts spans around stages, if these settings want it; the first time takes a moment (imports)."""
        given = settings.tracing
        if not given.enabled:
            return UNTRACED
        if given != self._given:
            self._exports.append(_opened(given, self._chance))
            self._given = given
        peers = {name: _peer(provider) for name, provider in settings.providers.items()}
        return self._exports[-1].composing(peers, self._clock)

    def instrument(self, app: A) -> A:
        """Return `app`, whose routes that are not calls make spans, too, if tracing is on by now."""
        if self._exports:
            import_module("app.api.instrumented").instrument(app, self._exports[-1].of_routes())
        return app

    def close(self) -> None:
        """Send what is left; takes seconds at most, in which it blocks: call it in a thread."""
        for export in self._exports:
            export.close()


def _opened(given: Tracing, chance: Chance) -> _Export:
    exporting = import_module("app.telemetry.tracing.exporting")
    options = exporting.ExportOptions(
        endpoint=given.endpoint,
        protocol=given.protocol,
        headers={name: value.get_secret_value() for name, value in given.headers.items()},
        timeout_s=given.timeout_s,
        service_name=given.service_name,
        attributes=given.attributes,
        version=__version__,
        sample_ratio=given.sample_ratio,
        follow_caller=given.follow_caller,
    )
    export: _Export = exporting.Export(options, chance)
    return export


def _peer(given: Provider) -> object:
    attributes = import_module("app.telemetry.tracing.attributes")
    system = _SYSTEMS.get(given.kind, given.kind)
    if given.base_url is None:
        return attributes.Peer(system)
    parts = urlsplit(given.base_url)
    return attributes.Peer(system, parts.hostname, parts.port or _PORTS[parts.scheme])
