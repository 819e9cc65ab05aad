"""Samples calls, and starts their traces."""

from __future__ import annotations

from typing import Final

from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags

from app.core.call import Call
from app.core.ports import Chance
from app.core.tracing import PARENT
from app.telemetry.tracing.attributes import of_call
from app.telemetry.tracing.span import OtelSpan

ROOT: Final = "wizard.generate"


class Tracer:
    """
    Starts the traces of sampled calls.

    Args:
        tracer: Creates the spans, all of which are exported.

        sample_ratio: Share of calls that are sampled if the caller does not decide, 0 to 1.

        follow_caller: Whether the trace context of a caller decides for its call.

        chance: Random numbers that decide for all others.
    """

    def __init__(self, tracer: trace.Tracer, sample_ratio: float, chance: Chance, *, follow_caller: bool) -> None:
        self._tracer = tracer
        self._sample_ratio = sample_ratio
        self._chance = chance
        self._follow_caller = follow_caller

    def begin(self, call: Call) -> OtelSpan | None:
        """Return the root span of a call, a child of the caller's if it sent one; None if the call is not sampled."""
        parent = _parent(call)
        if parent is not None and self._follow_caller:
            sampled = parent.trace_flags.sampled
        else:
            sampled = self._chance() < self._sample_ratio
        if not sampled:
            return None
        context = None if parent is None else trace.set_span_in_context(NonRecordingSpan(parent))
        span = self._tracer.start_span(ROOT, context, SpanKind.SERVER, dict(of_call(call)))
        return OtelSpan(self._tracer, span)


def _parent(call: Call) -> SpanContext | None:
    for name, value in call.headers:
        if name == "traceparent" and (found := PARENT.fullmatch(value)) is not None:
            trace_id, span_id, flags = (int(part, 16) for part in found.groups())
            return SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return None
