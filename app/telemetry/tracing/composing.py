"""Wraps the stages of a pipeline in tracing stages; the assembly uses it if tracing is on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.core.call import Attempt, Call
from app.core.clock import Clock
from app.core.pipeline import Handler, Stage
from app.telemetry.tracing.attributes import Peer
from app.telemetry.tracing.stages import TraceAttempt, TraceCall, TraceEntry, TraceTarget, traced_request
from app.telemetry.tracing.tracer import Tracer


class Traced:
    """
    The tracing stages of a pipeline.

    Args:
        tracer: Samples the calls.

        peers: The servers behind the names of providers.

        clock: Measures the time to the first token.
    """

    def __init__(self, tracer: Tracer, peers: Mapping[str, Peer], clock: Clock) -> None:
        self._tracer = tracer
        self._peers = peers
        self._clock = clock

    def call(self) -> Sequence[Stage[Call]]:
        """Return the outermost stages."""
        return [TraceCall(self._tracer, self._peers, self._clock)]

    def entry(self, name: str, stages: Sequence[Stage[Call]]) -> Sequence[Stage[Call]]:
        """Wrap each of `stages` in a span for its work before it passes the call on, or in place of that."""
        return [TraceEntry(name, stage) for stage in stages]

    def request(self, handler: Handler[Call]) -> Handler[Call]:
        """Wrap the handler that calls providers in a span."""
        return traced_request(handler)

    def target(self) -> Sequence[Stage[Attempt]]:
        """Return the stages outside the retries."""
        return [TraceTarget()]

    def attempt(self) -> Sequence[Stage[Attempt]]:
        """Return the stages inside the retries."""
        return [TraceAttempt(self._peers, self._clock)]
