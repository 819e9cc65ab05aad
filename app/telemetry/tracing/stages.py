"""
The stages that create spans. They wrap the other stages, which know nothing of tracing.

For a call that is not sampled each of them costs one comparison.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

import msgspec

from app.core.call import Attempt, Call, Reply
from app.core.clock import Clock
from app.core.model import Completion
from app.core.outcome import Outcome
from app.core.pipeline import Handler, Stage, settle
from app.core.stream import Batch
from app.core.tracing import Span
from app.core.usage import Usage
from app.telemetry.tracing.attributes import Peer, of_answer, of_journal, of_target
from app.telemetry.tracing.tracer import Tracer

C = TypeVar("C", Call, Attempt)

REQUEST: Final = "wizard.provider.request"
TARGET: Final = "wizard.fallback.try_model"
ATTEMPT: Final = "wizard.retry.attempt"


class TraceCall:
    """Give a sampled call its root span, which ends with the last byte of the answer. Outermost."""

    def __init__(self, tracer: Tracer, peers: Mapping[str, Peer], clock: Clock) -> None:
        self._tracer = tracer
        self._peers = peers
        self._clock = clock

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Sample the call before any span is created."""
        span = self._tracer.begin(call)
        return proceed(call) if span is None else self._traced(span, call, proceed)

    async def _traced(self, span: Span, call: Call, proceed: Handler[Call]) -> Reply:
        answer = _Answer()

        def close(outcome: Outcome) -> None:
            span.add(of_journal(call.journal, self._peers))
            span.add(of_answer(answer.usage, answer.finish_reasons))
            span.end(outcome.error)

        observed = answer.observed(proceed, span, lambda: self._clock.now() - call.started)
        return await settle(msgspec.structs.replace(call, span=span), observed, close)


class TraceEntry:
    """
    A span for the work of a stage before it passes the call on, or in place of that.

    Args:
        name: Name of the span.

        stage: The traced stage.
    """

    def __init__(self, name: str, stage: Stage[Call]) -> None:
        self._name = name
        self._stage = stage

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Trace a sampled call."""
        return self._stage(call, proceed) if call.span is None else self._traced(call.span, call, proceed)

    async def _traced(self, parent: Span, call: Call, proceed: Handler[Call]) -> Reply:
        entry = parent.child(self._name)

        def onward(call: Call) -> Awaitable[Reply]:
            _end_entry(entry, call)
            return proceed(call)

        try:
            reply = await self._stage(call, onward)
        except BaseException as error:
            entry.end(error)
            raise
        _end_entry(entry, call)
        return reply


def traced_request(handler: Handler[Call]) -> Handler[Call]:
    """Wrap the `handler` that calls providers in a span that lasts until the answer's last byte."""

    def handle(call: Call) -> Awaitable[Reply]:
        return handler(call) if call.span is None else traced(call.span, call)

    async def traced(parent: Span, call: Call) -> Reply:
        span = parent.child(REQUEST)
        return await settle(msgspec.structs.replace(call, span=span), handler, lambda outcome: span.end(outcome.error))

    return handle


class TraceTarget:
    """A span for every target but the first, around all tries. Outside the retries."""

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """Trace a sampled call."""
        parent = attempt.call.span
        return proceed(attempt) if parent is None else self._traced(parent, attempt, proceed)

    async def _traced(self, parent: Span, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        parent.targets += 1
        hedged = parent.targets_open > 0  # the target before it has not failed, so this one runs beside it
        parent.targets_open += 1
        span = parent
        if parent.targets > 1:
            target = attempt.target
            span = parent.child(
                TARGET,
                {"gen_ai.request.model": target.model, "wizard.provider": target.provider, "wizard.hedged": hedged},
            )
            attempt = _within(attempt, span)

        def close(outcome: Outcome) -> None:
            parent.targets_open -= 1
            if span is not parent:
                span.end(outcome.error)

        return await settle(attempt, proceed, close)


class TraceAttempt:
    """A span for every attempt at a target; its id is sent to the provider. Inside the retries."""

    def __init__(self, peers: Mapping[str, Peer], clock: Clock) -> None:
        self._peers = peers
        self._clock = clock

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """Trace a sampled call."""
        parent = attempt.call.span
        return proceed(attempt) if parent is None else self._traced(parent, attempt, proceed)

    async def _traced(self, parent: Span, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        call, target = attempt.call, attempt.target
        began = self._clock.now()
        peer = self._peers.get(target.provider) or Peer(target.provider)
        parent.tries += 1
        told = {**of_target(call, target, peer), "wizard.attempt": parent.tries}
        span = parent.child(ATTEMPT, told, client=True)
        answer = _Answer()

        def close(outcome: Outcome) -> None:
            span.add(of_answer(answer.usage, answer.finish_reasons))
            span.end(outcome.error)

        observed = answer.observed(proceed, span, lambda: self._clock.now() - began)
        return await settle(_within(attempt, span, parent=span.traceparent), observed, close)


class _Answer:
    """Collects usage and finish reasons of an answer, whole or streamed."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.finish_reasons: tuple[str, ...] = ()

    def observed(self, proceed: Handler[C], span: Span, passed_s: Callable[[], float]) -> Handler[C]:
        """Wrap the handler; at a stream's start the span gets the time to the first event, from `passed_s`."""

        async def handle(call: C) -> Reply:
            reply = await proceed(call)
            if isinstance(reply.body, Completion):
                self.usage, self.finish_reasons = reply.body.usage, reply.body.finish_reasons
            else:
                span.add({"gen_ai.response.time_to_first_chunk": passed_s()})
                reply.body.observe(self._see)
            return reply

        return handle

    def _see(self, batch: Batch) -> None:
        for chunk in [event.chunk for event in batch if event.chunk is not None]:
            self.usage = chunk.usage or self.usage
            for choice in chunk.choices:
                if choice.finish_reason is not None:
                    self.finish_reasons = (*self.finish_reasons, choice.finish_reason)


def _end_entry(entry: Span, call: Call) -> None:
    if call.journal.cache is not None:
        entry.add({"wizard.cache": call.journal.cache})
    entry.end()


def _within(attempt: Attempt, span: Span, parent: str | None = None) -> Attempt:
    """Return the attempt with `span` as its parent span; `parent` is the `traceparent` header for the provider."""
    headers = attempt.call.headers
    if parent is not None:
        headers = (*[pair for pair in headers if pair[0] != "traceparent"], ("traceparent", parent))
    call = msgspec.structs.replace(attempt.call, span=span, headers=headers)
    return msgspec.structs.replace(attempt, call=call)
