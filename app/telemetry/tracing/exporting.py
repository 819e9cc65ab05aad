"""
Where spans go: in batches to a collector, from a thread of their own.

A collector that is away costs spans, never calls.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

import msgspec
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased, Sampler, TraceIdRatioBased

from app.core.clock import Clock
from app.core.ports import Chance
from app.telemetry.tracing.attributes import Peer
from app.telemetry.tracing.composing import Traced
from app.telemetry.tracing.tracer import Tracer

Protocol: TypeAlias = Literal["http", "grpc"]

_MODULES: Final[Mapping[Protocol, str]] = MappingProxyType(
    {
        "http": "opentelemetry.exporter.otlp.proto.http.trace_exporter",
        "grpc": "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",  # from the extra `otlp-grpc`
    }
)
_TRACES_PATH: Final = "/v1/traces"
_NO_PROXY: Final = (("grpc.enable_http_proxy", 0),)
_CLOSE_LIMIT_S: Final = 3.0
_SERVICE: Final = "service.name"


class ExportOptions(msgspec.Struct, frozen=True):
    """
    Where and how spans are exported.

    Without an `endpoint`, OpenTelemetry's variables decide (`OTEL_EXPORTER_OTLP_ENDPOINT`), or else the usual port of
    this machine. `headers` may carry credentials. `service_name` and `attributes` say who sends. `sample_ratio` is the
    share of calls that are traced, unless their callers decide (`follow_caller`).
    """

    endpoint: str | None
    protocol: Protocol
    headers: Mapping[str, str]
    timeout_s: float
    service_name: str | None
    attributes: Mapping[str, str]
    version: str
    sample_ratio: float
    follow_caller: bool


class Export:
    """The way out of one configuration's spans, opened at once; `close` it. `chance` decides about single calls."""

    def __init__(self, options: ExportOptions, chance: Chance) -> None:
        self._options = options
        self._chance = chance
        self._counting = _Counting(_exporter(options))
        self._processor = BatchSpanProcessor(self._counting)
        self._resource = _resource(options)

    @property
    def lost(self) -> int:
        """Return how many spans the collector did not take."""
        return self._counting.lost

    def composing(self, peers: Mapping[str, Peer], clock: Clock) -> Traced:
        """Return what puts spans around the stages of calls."""
        spans = self._provider(ALWAYS_ON).get_tracer("wizard", self._options.version)
        options = self._options
        tracer = Tracer(spans, options.sample_ratio, self._chance, follow_caller=options.follow_caller)
        return Traced(tracer, peers, clock)

    def of_routes(self) -> TracerProvider:
        """Return what makes the spans of routes that are not calls, by a library that leaves the decision to it."""
        return self._provider(ParentBased(TraceIdRatioBased(self._options.sample_ratio)))

    def close(self) -> None:
        """Send what is left; waits for the collector for three seconds at most."""
        # A thread that may be left behind: the exporter tries again and again, and knows no limit of ours.
        closing = threading.Thread(target=self._processor.shutdown, name="spans-closing", daemon=True)
        closing.start()
        closing.join(_CLOSE_LIMIT_S)

    def _provider(self, sampler: Sampler) -> TracerProvider:
        provider = TracerProvider(sampler, self._resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        return provider


class _Counting(SpanExporter):
    """Counts what the exporter behind it could not deliver."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS:
            self.lost += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _exporter(options: ExportOptions) -> SpanExporter:
    module = import_module(_MODULES[options.protocol])
    endpoint = options.endpoint
    if endpoint is not None and options.protocol == "http" and not endpoint.endswith(_TRACES_PATH):
        endpoint += _TRACES_PATH
    more = {"session": _straight()} if options.protocol == "http" else {"channel_options": _NO_PROXY}
    exporter: SpanExporter = module.OTLPSpanExporter(
        endpoint=endpoint, headers=dict(options.headers) or None, timeout=options.timeout_s, **more
    )
    return exporter


def _straight() -> Any:  # noqa: ANN401 - requests comes with the exporter, and has no types
    """Return a session that goes where it is told, and nowhere else: no proxy of the environment, no redirects."""
    session = import_module("requests").Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


def _resource(options: ExportOptions) -> Resource:
    """Return who sends; OpenTelemetry's variables are heard, the configuration has the last word."""
    told = {"service.version": options.version, **options.attributes}
    if options.service_name is not None:
        told[_SERVICE] = options.service_name
    found = Resource.create(told)
    if str(found.attributes[_SERVICE]).startswith("unknown_service"):
        found = found.merge(Resource({_SERVICE: "wizard"}))
    return found
