"""
Note of every attempt how it went: what the strategies choose by, and what the metrics count.

Around the attempt timeout, so that a target that says nothing has failed, and inside everything that may refuse an
attempt before its target is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Attempt, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_TOTAL, Blame, GatewayError
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.signals import AttemptEnded, Listener
from app.core.traffic.loads import Load, Loads

_REFUSED = "refused"  # the target did its duty: the request was wrong


class Measure:
    """Keep the load of each target, and report `AttemptEnded` for every attempt exactly once."""

    def __init__(self, loads: Loads, clock: Clock, listener: Listener) -> None:
        self._loads = loads
        self._clock = clock
        self._listener = listener

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """Pass the attempt on unchanged."""
        load = self._loads.of(attempt.target.name)
        watch = _Watch(attempt, load, self._clock, self._listener)
        load.in_flight += 1
        return settle(attempt, proceed, watch.close, watch.answered)


class _Watch:
    """What one attempt's measuring needs to remember until the end."""

    __slots__ = ("_answered", "_attempt", "_began", "_clock", "_listener", "_load", "_stream")

    def __init__(self, attempt: Attempt, load: Load, clock: Clock, listener: Listener) -> None:
        self._attempt = attempt
        self._load = load
        self._clock = clock
        self._listener = listener
        self._began = clock.now()
        self._stream = attempt.call.request.stream
        self._answered = False

    def answered(self, _reply: Reply) -> None:
        """Note the first token of a stream, or a whole answer."""
        self._answered = True
        now = self._clock.now()
        self._load.answered(now - self._began, stream=self._stream, now=now)

    def close(self, outcome: Outcome) -> None:
        """Count the ending."""
        attempt, load = self._attempt, self._load
        load.in_flight -= 1
        word, code = outcome.end.word, ""
        if outcome.end is End.COMPLETED:
            load.judge(good=True)
        elif isinstance(outcome.error, GatewayError):
            word, code = self._failed(outcome.end, outcome.error)
        else:
            self._given_up()
        self._listener(AttemptEnded(attempt.call.id, attempt.target.provider, attempt.target.model, word, code))

    def _failed(self, end: End, error: GatewayError) -> tuple[str, str]:
        """Let a failure count for the target, and return it as a word with its code."""
        if end is End.ABANDONED or error.kind is TIMEOUT_TOTAL:
            self._given_up()
        elif error.kind.blame is Blame.CALLER:
            return _REFUSED, error.kind.code
        else:
            now = self._clock.now()
            self._load.judge(good=False)
            self._load.failed(now - self._began, stream=self._stream, now=now)
        return end.word, error.kind.code

    def _given_up(self) -> None:
        """Note how long nothing came, if nothing did."""
        if not self._answered:
            now = self._clock.now()
            self._load.waited(now - self._began, stream=self._stream, now=now)
