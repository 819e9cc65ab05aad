"""
Let no caller have more than its share, and keep each model and provider within the limits that are set for it.

All rules of a call, or of an attempt, are decided in one step. The stage of calls stands before the cache, since it
protects the gateway as well; an answer from the cache costs a request and no tokens. That of attempts stands inside the
retry, as each try is a request; a refusal moves the call on to its next target, as other failures do (trigger
`rate_limit`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic

from app.core.call import Reply
from app.core.clock import Clock
from app.core.limits.limiter import Limiter, T
from app.core.pipeline import Handler
from app.core.rules import Ask


class RateLimit(Generic[T]):
    """
    Ask for what a call or an attempt needs (`asks`, at a time); what it did not need is given back at its end.
    """

    def __init__(self, asks: Callable[[T, float], Ask | None], limiter: Limiter, clock: Clock) -> None:
        self._asks: Callable[[T, float], Ask | None] = asks
        self._limiter = limiter
        self._clock = clock

    def __call__(self, travels: T, proceed: Handler[T]) -> Awaitable[Reply]:
        """
        Go on if every rule that is met lets it.

        Raises:
            GatewayError: As `Limiter.run` does.
        """
        ask = self._asks(travels, self._clock.now())
        if ask is None:
            return proceed(travels)
        return self._limiter.run(travels, proceed, ask)
