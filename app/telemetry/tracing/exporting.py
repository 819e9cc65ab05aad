"""
Exports spans in batches to a collector, from a thread of their own.

If the collector is unreachable, spans are lost; calls are not affected.
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

    Without an `endpoint`, OpenTelemetry's variables apply (`OTEL_EXPORTER_OTLP_ENDPOINT`), or else the default port on
    this machine. `headers` may carry credentials. `service_name` and `attributes` identify the sender.
    `sample_ratio` is the share of calls that are traced, unless their callers decide (`follow_caller`).
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
    """The exporter of one configuration, opened at once; `close` it. `chance` samples the calls."""

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
        """Return the wrapper that puts spans around the stages of calls."""
        spans = self._provider(ALWAYS_ON).get_tracer("wizard", self._options.version)
        options = self._options
        tracer = Tracer(spans, options.sample_ratio, self._chance, follow_caller=options.follow_caller)
        return Traced(tracer, peers, clock)

    def of_routes(self) -> TracerProvider:
        """Return the provider of spans for the other routes; it samples, as their instrumentation library does not."""
        return self._provider(ParentBased(TraceIdRatioBased(self._options.sample_ratio)))

    def close(self) -> None:
        """Send what is left; waits for the collector for three seconds at most."""
        # In a daemon thread, which may be abandoned: the exporter retries without regard to our limit.
        closing = threading.Thread(target=self._processor.shutdown, name="spans-closing", daemon=True)
        closing.start()
        closing.join(_CLOSE_LIMIT_S)

    def _provider(self, sampler: Sampler) -> TracerProvider:
        provider = TracerProvider(sampler, self._resource, shutdown_on_exit=False)
        provider.add_span_processor(self._processor)
        return provider


class _Counting(SpanExporter):
    """Counts the spans that the wrapped exporter could not deliver."""

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
    more = {"session": _direct_session()} if options.protocol == "http" else {"channel_options": _NO_PROXY}
    exporter: SpanExporter = module.OTLPSpanExporter(
        endpoint=endpoint, headers=dict(options.headers) or None, timeout=options.timeout_s, **more
    )
    return exporter


def _direct_session() -> Any:  # noqa: ANN401 - requests comes with the exporter, and has no types
    """Return a session that uses no proxy from the environment and follows no redirects."""
    session = import_module("requests").Session()
    session.trust_env = False
    session.max_redirects = 0
    return session


def _resource(options: ExportOptions) -> Resource:
    """Return the sender's description; the configuration overrides OpenTelemetry's variables."""
    attributes = {"service.version": options.version, **options.attributes}
    if options.service_name is not None:
        attributes[_SERVICE] = options.service_name
    found = Resource.create(attributes)
    if str(found.attributes[_SERVICE]).startswith("unknown_service"):
        found = found.merge(Resource({_SERVICE: "wizard"}))
    return found
