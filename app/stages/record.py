"""Tell the listeners how each call began and ended. Outermost, so that refusals and cancellations are seen too."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

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
_NOWHERE: Final = Target("", "")  # of calls that reach no target


class Record:
    """Report `CallStarted`, `StreamStarted` and `CallEnded` for every call, exactly once each."""

    def __init__(self, listener: Listener, clock: Clock) -> None:
        self._listener = listener
        self._clock = clock

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Pass the call on unchanged."""
        began = CallStarted(call.id, call.endpoint, call.request.model, call.request.stream)
        self._listener(began)
        story = _Story(call, began, self._listener, self._clock)
        return settle(call, proceed, story.close, story.answered)


class _Story:
    """What one call's record needs to remember until the end."""

    __slots__ = ("_began", "_call", "_clock", "_committed", "_first_token_s", "_last_event", "_listener",
                 "_longest_gap_s", "_trace_id", "_usage")  # fmt: skip

    def __init__(self, call: Call, began: CallStarted, listener: Listener, clock: Clock) -> None:
        self._call = call
        self._began = began
        self._listener = listener
        self._clock = clock
        self._committed: float | None = None
        self._first_token_s: float | None = None
        self._last_event = self._longest_gap_s = 0.0
        self._usage: Usage | None = None
        self._trace_id = "" if call.span is None else call.span.trace_id

    def answered(self, reply: Reply) -> None:
        """Note the commit point: a whole answer, or a stream about to be shown."""
        self._committed = committed = self._clock.now()
        body = reply.body
        if isinstance(body, Completion):
            self._usage = body.usage
            return
        self._first_token_s = first_s = committed - self._call.started
        self._last_event = committed
        body.observe(self._watch)
        target = self._call.journal.target or _NOWHERE
        self._listener(StreamStarted(self._began.request_id, target.provider, target.model, first_s, self._trace_id))

    def close(self, outcome: Outcome) -> None:
        """Report the ending."""
        call, began, journal, now = self._call, self._began, self._call.journal, self._clock.now()
        left, journal.over = journal.left, True
        target, first_s = journal.target or _NOWHERE, self._first_token_s
        word, status, code, category = _told(outcome, left=left)
        self._listener(
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
                overhead_s=call.overhead_s(now if self._committed is None else self._committed),
                first_token_s=first_s,
                tokens_per_s=None if first_s is None else self._rate(),
                longest_gap_s=None if first_s is None else self._longest_gap_s,
                usage=self._usage,
                trace_id=self._trace_id,
                cost_usd=journal.cost.usd,
                cache=journal.cache,
                drained=outcome.end.word if left else None,
            )
        )

    def _watch(self, batch: Batch) -> None:
        now = self._clock.now()
        self._longest_gap_s = max(self._longest_gap_s, now - self._last_event)
        self._last_event = now
        for event in batch:
            if event.chunk is not None and event.chunk.usage is not None:
                self._usage = event.chunk.usage

    def _rate(self) -> float | None:
        if self._committed is None or self._usage is None or self._last_event <= self._committed:
            return None
        return self._usage.completion_tokens / (self._last_event - self._committed)


def _told(outcome: Outcome, *, left: bool) -> tuple[str, int, str, str]:
    """Return how a call ended for its client: the outcome, and status, code and category of what it failed with."""
    if outcome.end is End.COMPLETED and not left:
        return outcome.end.word, _OK, "", ""
    kind = CLIENT_CLOSED if left else _kind(outcome)
    end = End.FAILED if kind is OVERLOADED else End.ABANDONED if kind is CLIENT_CLOSED else outcome.end
    return end.word, kind.status, kind.code, kind.category


def _kind(outcome: Outcome) -> Kind:
    if outcome.end is End.ABANDONED:  # by the client, or by the gateway that is being stopped
        return OVERLOADED if outcome.error is not None and outcome.error.args == (CUT_OFF,) else CLIENT_CLOSED
    return outcome.error.kind if isinstance(outcome.error, GatewayError) else INTERNAL
