"""
Let no caller have more than its share: requests, tokens and calls at the same time, by any combination of scopes.

All rules of a call are decided in one step. It stands before the cache, since it protects the gateway as well; an
answer from the cache costs a request and no tokens.
"""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Call, Reply
from app.core.clock import Clock
from app.core.limits.limiter import Limiter
from app.core.limits.rulebook import RuleBook
from app.core.pipeline import Handler


class RateLimit:
    """Ask for what a call needs; what it did not need is given back at its end."""

    def __init__(self, book: RuleBook, limiter: Limiter, clock: Clock) -> None:
        self._book = book
        self._limiter = limiter
        self._clock = clock

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """
        Pass the call on if every rule that it meets lets it.

        Raises:
            GatewayError: RATE_LIMITED, INVALID_REQUEST for a call that could never fit, or STATE_UNAVAILABLE.
        """
        ask = self._book.of_call(call, self._clock.now())
        if ask is None:
            return proceed(call)
        return self._limiter.run(call, proceed, call, ask)
