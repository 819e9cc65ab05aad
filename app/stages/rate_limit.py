"""
Enforce rate limits: those of callers once per call, those of models and providers once per try.

All rules of a call, or of an attempt, are decided in one step. The stage of calls runs before the cache, since it also
protects the gateway; an answer from the cache costs a request and no tokens. The stage of attempts runs inside the
retry, as each try is a request; a refusal moves the call on to its next target, like other failures (trigger
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
    Take what a call or an attempt needs (returned by `asks` for a time); what is left over is given back at the end.
    """

    def __init__(self, asks: Callable[[T, float], Ask | None], limiter: Limiter, clock: Clock) -> None:
        self._asks: Callable[[T, float], Ask | None] = asks
        self._limiter = limiter
        self._clock = clock

    def __call__(self, subject: T, proceed: Handler[T]) -> Awaitable[Reply]:
        """
        Go on if every rule that applies has room.

        Raises:
            GatewayError: As `Limiter.run` does.
        """
        ask = self._asks(subject, self._clock.now())
        if ask is None:
            return proceed(subject)
        return self._limiter.run(subject, proceed, ask)
