"""Assemble tracing: spans around the stages. OpenTelemetry is imported only if tracing is enabled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Final, Protocol, TypeVar
from urllib.parse import urlsplit

from app import __version__
from app.config.features.telemetry import Tracing
from app.config.routing import Provider
from app.config.schema import Settings
from app.core.call import Attempt, Call
from app.core.clock import Clock
from app.core.pipeline import Handler, Stage
from app.core.ports import Chance

# Kinds with another name in OpenTelemetry's conventions (the attribute gen_ai.provider.name).
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
    """Adds spans around stages (`app.telemetry.tracing.composing`); this base class adds none."""

    def call(self) -> Sequence[Stage[Call]]:
        """Return the outermost stages."""
        return ()

    def entry(self, name: str, stages: Sequence[Stage[Call]]) -> Sequence[Stage[Call]]:  # noqa: ARG002 - the port's
        """Return `stages` with spans for their own work, which end when a call is passed on or answered."""
        return stages

    def request(self, handler: Handler[Call]) -> Handler[Call]:
        """Return `handler`, which asks providers, with a span around it."""
        return handler

    def target(self) -> Sequence[Stage[Attempt]]:
        """Return the stages outside the retries."""
        return ()

    def attempt(self) -> Sequence[Stage[Attempt]]:
        """Return the stages inside the retries."""
        return ()


class Untraced(Composing):
    """Tracing is off."""


UNTRACED: Final = Untraced()


class _Export(Protocol):
    """The exporter of one configuration's spans; see `app.telemetry.tracing.exporting`."""

    @property
    def lost(self) -> int: ...

    def composing(self, peers: Mapping[str, object], clock: Clock) -> Composing: ...

    def of_routes(self) -> object: ...

    def close(self) -> None: ...


class Tracers:
    """
    The exports of spans: opened when a configuration first needs one, and kept while newer ones have equal settings.

    Args:
        clock: Measures the time to the first token.

        chance: Decides which calls are traced.
    """

    def __init__(self, clock: Clock, chance: Chance) -> None:
        self._clock = clock
        self._chance = chance
        self._settings: Tracing | None = None
        self._exports: list[_Export] = []  # the last one is in use; calls that began under another may still run

    @property
    def lost(self) -> int:
        """Return how many spans could not be delivered."""
        return sum(export.lost for export in self._exports)

    def composing(self, settings: Settings) -> Composing:
        """Return what adds spans around stages under these settings; slow the first time (imports)."""
        given = settings.tracing
        if not given.enabled:
            return UNTRACED
        if given != self._settings:
            self._exports.append(_opened(given, self._chance))
            self._settings = given
        peers = {name: _peer(provider) for name, provider in settings.providers.items()}
        return self._exports[-1].composing(peers, self._clock)

    def instrument(self, app: A) -> A:
        """Return `app`, with spans for its routes that are not calls if tracing is already on."""
        if self._exports:
            import_module("app.api.instrumented").instrument(app, self._exports[-1].of_routes())
        return app

    def close(self) -> None:
        """Send the remaining spans; blocks for seconds at most, so call it in a thread."""
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
