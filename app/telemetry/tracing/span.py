"""An OpenTelemetry span behind the interface that the tracing stages use."""

from __future__ import annotations

import asyncio

from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode

from app.core.errors import CLIENT_CLOSED, INTERNAL, GatewayError
from app.core.tracing import NO_ATTRIBUTES, Attributes

_FAULT = 500  # a 4xx is the caller's fault, and no error of the span


class OtelSpan:
    """See `app.core.tracing.Span`."""

    __slots__ = ("_ended", "_span", "_tracer", "targets", "targets_open", "tries")

    def __init__(self, tracer: trace.Tracer, span: trace.Span) -> None:
        self._tracer = tracer
        self._span = span
        self._ended = False
        self.targets = 0
        self.targets_open = 0
        self.tries = 0

    @property
    def trace_id(self) -> str:
        """Return the trace's id."""
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    @property
    def traceparent(self) -> str:
        """Return the header for the next server; every span that exists is sampled."""
        return f"00-{self.trace_id}-{trace.format_span_id(self._span.get_span_context().span_id)}-01"

    def child(self, name: str, attributes: Attributes = NO_ATTRIBUTES, *, client: bool = False) -> OtelSpan:
        """Begin a span below this one."""
        context = trace.set_span_in_context(self._span)
        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        return OtelSpan(self._tracer, self._tracer.start_span(name, context, kind, dict(attributes)))

    def add(self, attributes: Attributes) -> None:
        """Add attributes, unless the span has ended: OpenTelemetry would warn."""
        if not self._ended:
            self._span.set_attributes(dict(attributes))

    def end(self, error: BaseException | None = None) -> None:
        """End it; of an error only the code is recorded."""
        if self._ended:
            return
        self._ended = True
        if error is not None:
            self._fail(error)
        self._span.end()

    def _fail(self, error: BaseException) -> None:
        if isinstance(error, GatewayError):
            code, status = error.kind.code, error.kind.status
            if error.upstream_status is not None:
                self._span.set_attribute("http.response.status_code", error.upstream_status)
        elif isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            code, status = CLIENT_CLOSED.code, CLIENT_CLOSED.status
        else:
            code, status = INTERNAL.code, INTERNAL.status
        self._span.set_attribute("error.type", code)
        if status >= _FAULT:
            self._span.set_status(Status(StatusCode.ERROR))
