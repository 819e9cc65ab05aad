"""
Keep each model and provider within the limits that are set for it; only an attempt knows which ones it goes to.

A refusal moves the call on to its next target, as other failures do (trigger `rate_limit`).
"""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Attempt, Reply
from app.core.clock import Clock
from app.core.limits.limiter import Limiter
from app.core.limits.rulebook import RuleBook
from app.core.pipeline import Handler


class TargetLimit:
    """Ask for what an attempt needs of its model and its provider; inside the retry, as each try is a request."""

    def __init__(self, book: RuleBook, limiter: Limiter, clock: Clock) -> None:
        self._book = book
        self._limiter = limiter
        self._clock = clock

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Pass the attempt on if every rule of its target lets it.

        Raises:
            GatewayError: RATE_LIMITED, CONTEXT_TOO_LONG for a call that could never fit, or STATE_UNAVAILABLE.
        """
        ask = self._book.of_attempt(attempt, self._clock.now())
        if ask is None:
            return proceed(attempt)
        return self._limiter.run(attempt, proceed, attempt.call, ask, attempt.target)
