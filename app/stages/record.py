"""Report how each call began and ended. Outermost, so that refusals and cancellations are reported too."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

import msgspec

from app.core.call import Call, Reply, Target
from app.core.clock import Clock
from app.core.errors import CLIENT_CLOSED, INTERNAL, OVERLOADED, GatewayError, Kind
from app.core.lifecycle import CUT_OFF
from app.core.model import Completion
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.signals import CallEnded, CallStarted, Listener, StreamStarted
from app.core.stream import Batch
from app.core.usage import Usage

_OK: Final = 200
_NO_TARGET: Final = Target("", "")  # for calls that reach none


class Record:
    """Report `CallStarted`, `StreamStarted` and `CallEnded` for every call, exactly once each."""

    def __init__(self, listener: Listener, clock: Clock) -> None:
        self._listener = listener
        self._clock = clock

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Pass the call on unchanged."""
        began = CallStarted(call.id, call.endpoint, call.request.model, call.request.stream)
        self._listener(began)
        trace_id = "" if call.span is None else call.span.trace_id
        recording = _Recording(call, began, self._listener, self._clock, trace_id)
        return settle(call, proceed, recording.close, recording.answered)


class _Recording(msgspec.Struct):
    """The state of one call's record."""

    call: Call
    began: CallStarted
    listener: Listener
    clock: Clock
    trace_id: str
    committed: float | None = None
    first_token_s: float | None = None
    last_event: float = 0.0
    longest_gap_s: float = 0.0
    usage: Usage | None = None

    def answered(self, reply: Reply) -> None:
        """Record the commit point: a whole answer, or a stream that is about to be sent."""
        self.committed = committed = self.clock.now()
        body = reply.body
        if isinstance(body, Completion):
            self.usage = body.usage
            return
        self.first_token_s = first_s = committed - self.call.started
        self.last_event = committed
        body.observe(self._watch)
        target = self.call.journal.target or _NO_TARGET
        self.listener(StreamStarted(self.began.request_id, target.provider, target.model, first_s, self.trace_id))

    def close(self, outcome: Outcome) -> None:
        """Report how the call ended."""
        call, began, journal, now = self.call, self.began, self.call.journal, self.clock.now()
        left, journal.over = journal.left, True
        target, first_s = journal.target or _NO_TARGET, self.first_token_s
        word, status, code, category = _ending(outcome, left=left)
        self.listener(
            CallEnded(
                request_id=began.request_id,
                endpoint=began.endpoint,
                model=began.model,
                provider=target.provider,
                target_model=target.model,
                stream=began.stream,
                outcome=word,
                status=status,
                code=code,
                category=category,
                attempts=journal.attempts,
                position=journal.position,
                duration_s=now - call.started,
                overhead_s=call.overhead_s(now if self.committed is None else self.committed),
                first_token_s=first_s,
                tokens_per_s=None if first_s is None else self._rate(),
                longest_gap_s=None if first_s is None else self.longest_gap_s,
                usage=self.usage,
                trace_id=self.trace_id,
                cost_usd=journal.cost.usd,
                cache=journal.cache,
                drained=outcome.end.word if left else None,
            )
        )

    def _watch(self, batch: Batch) -> None:
        now = self.clock.now()
        self.longest_gap_s = max(self.longest_gap_s, now - self.last_event)
        self.last_event = now
        for event in batch:
            if event.chunk is not None and event.chunk.usage is not None:
                self.usage = event.chunk.usage

    def _rate(self) -> float | None:
        if self.committed is None or self.usage is None or self.last_event <= self.committed:
            return None
        return self.usage.completion_tokens / (self.last_event - self.committed)


def _ending(outcome: Outcome, *, left: bool) -> tuple[str, int, str, str]:
    """Return how a call ended for its client: outcome, status, error code and category; the client may have `left`."""
    if outcome.end is End.COMPLETED and not left:
        return outcome.end.word, _OK, "", ""
    kind = CLIENT_CLOSED if left else _kind(outcome)
    end = End.FAILED if kind is OVERLOADED else End.ABANDONED if kind is CLIENT_CLOSED else outcome.end
    return end.word, kind.status, kind.code, kind.category


def _kind(outcome: Outcome) -> Kind:
    if outcome.end is End.ABANDONED:  # by the client, or because the gateway is stopping
        return OVERLOADED if outcome.error is not None and outcome.error.args == (CUT_OFF,) else CLIENT_CLOSED
    return outcome.error.kind if isinstance(outcome.error, GatewayError) else INTERNAL
