"""Puts the tracing stages around the others: what the assembly asks for, where tracing is on."""

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
    A traced pipeline's stages.

    Args:
        tracer: Decides which calls are traced.

        peers: Who answers behind the names of providers.

        clock: Measures the time to the first token.
    """

    def __init__(self, tracer: Tracer, peers: Mapping[str, Peer], clock: Clock) -> None:
        self._tracer = tracer
        self._peers = peers
        self._clock = clock

    def call(self) -> Sequence[Stage[Call]]:
        """Return what stands outermost."""
        return [TraceCall(self._tracer, self._peers, self._clock)]

    def entry(self, name: str, stages: Sequence[Stage[Call]]) -> Sequence[Stage[Call]]:
        """Return `stages` with a span for what each does before it passes the call on, or instead of that."""
        return [TraceEntry(name, stage) for stage in stages]

    def request(self, handler: Handler[Call]) -> Handler[Call]:
        """Return the handler that asks providers with a span around it."""
        return traced_request(handler)

    def target(self) -> Sequence[Stage[Attempt]]:
        """Return what stands outside the retries."""
        return [TraceTarget()]

    def attempt(self) -> Sequence[Stage[Attempt]]:
        """Return what stands inside the retries."""
        return [TraceAttempt(self._peers, self._clock)]
