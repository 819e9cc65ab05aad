"""
Note of every attempt how it went: what the strategies choose by, and what the metrics count.

Around the attempt timeout, so that a target that says nothing has failed, and inside everything that may refuse an
attempt before its target is asked.
"""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Attempt, End, Outcome, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_TOTAL, Blame, GatewayError
from app.core.pipeline import Handler, settle
from app.core.signals import AttemptEnded, Listener
from app.core.traffic.loads import Load, Loads

_COMPLETED = End.COMPLETED.value  # quick to read
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
        self._load.in_flight -= 1
        word, code = self._judged(outcome)
        target = self._attempt.target
        self._listener(AttemptEnded(self._attempt.call.id, target.provider, target.model, word, code))

    def _judged(self, outcome: Outcome) -> tuple[str, str]:
        """Let the ending count for the target, and return it as a word with the code of its error."""
        load, stream, error = self._load, self._stream, outcome.error
        if outcome.end is End.COMPLETED:
            load.judge(good=True)
            return _COMPLETED, ""
        now = self._clock.now()
        seconds = now - self._began
        if outcome.end is End.ABANDONED or not isinstance(error, GatewayError) or error.kind is TIMEOUT_TOTAL:
            if not self._answered:
                load.waited(seconds, stream=stream, now=now)
            return outcome.end.value, error.kind.code if isinstance(error, GatewayError) else ""
        if error.kind.blame is Blame.CALLER:
            return _REFUSED, error.kind.code
        load.judge(good=False)
        load.failed(seconds, stream=stream, now=now)
        return outcome.end.value, error.kind.code
