"""
Measure every attempt, for the routing strategies and the metrics.

Around the attempt timeout, so that a silent target counts as failed, and inside everything that may refuse an attempt
before its target is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable

import msgspec

from app.core.call import Attempt, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_TOTAL, Blame, GatewayError
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.signals import AttemptEnded, Listener
from app.core.traffic.loads import Load, Loads

_REFUSED = "refused"  # the target worked: the request was wrong


class Measure:
    """Track the load of each target, and report `AttemptEnded` for every attempt exactly once."""

    def __init__(self, loads: Loads, clock: Clock, listener: Listener) -> None:
        self._loads = loads
        self._clock = clock
        self._listener = listener

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """Pass the attempt on unchanged."""
        load = self._loads.of(attempt.target.name)
        watch = _Watch(attempt, load, self._clock, self._listener, self._clock.now(), attempt.call.request.stream)
        load.in_flight += 1
        return settle(attempt, proceed, watch.close, watch.answered)


class _Watch(msgspec.Struct):
    """The measurement of one attempt."""

    attempt: Attempt
    load: Load
    clock: Clock
    listener: Listener
    began: float
    stream: bool
    is_answered: bool = False

    def answered(self, _reply: Reply) -> None:
        """Record the latency of the first token of a stream, or of a whole answer."""
        self.is_answered = True
        now = self.clock.now()
        self.load.answered(now - self.began, stream=self.stream, now=now)

    def close(self, outcome: Outcome) -> None:
        """Record and report how the attempt ended."""
        attempt, load = self.attempt, self.load
        load.in_flight -= 1
        word, code = outcome.end.word, ""
        if outcome.end is End.COMPLETED:
            load.judge(good=True)
        elif isinstance(outcome.error, GatewayError):
            word, code = self._failed(outcome.end, outcome.error)
        else:
            self._abandoned()
        self.listener(AttemptEnded(attempt.call.id, attempt.target.provider, attempt.target.model, word, code))

    def _failed(self, end: End, error: GatewayError) -> tuple[str, str]:
        """Record a failure of the attempt, and return its outcome and error code."""
        if end is End.ABANDONED or error.kind is TIMEOUT_TOTAL:
            self._abandoned()
        elif error.kind.blame is Blame.CALLER:
            return _REFUSED, error.kind.code
        else:
            now = self.clock.now()
            self.load.judge(good=False)
            self.load.failed(now - self.began, stream=self.stream, now=now)
        return end.word, error.kind.code

    def _abandoned(self) -> None:
        """Record how long the attempt waited in vain, if there was no answer."""
        if not self.is_answered:
            now = self.clock.now()
            self.load.waited(now - self.began, stream=self.stream, now=now)
