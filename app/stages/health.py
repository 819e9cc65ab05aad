"""Skip providers whose last health probe failed."""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Attempt, Reply
from app.core.circuits import is_last_resort
from app.core.clock import Clock
from app.core.errors import CIRCUIT_OPEN, GatewayError
from app.core.health import ProviderHealth
from app.core.pipeline import Handler


class Health:
    """Refuse attempts at providers that are down, like an open circuit: the call moves on to another target."""

    def __init__(self, health: ProviderHealth, clock: Clock) -> None:
        self._health = health
        self._clock = clock

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Pass the attempt on unless its provider is down; as a last resort, it is made all the same.

        Raises:
            GatewayError: CIRCUIT_OPEN.
        """
        provider = attempt.target.provider
        wait_s = self._health.wait_s(provider, self._clock.now())
        if wait_s is None or not attempt.call.options.circuit_breaker or is_last_resort(attempt):
            return proceed(attempt)
        message = f"{provider!r} does not answer when it is asked how it is, and is left alone until it does."
        raise GatewayError(CIRCUIT_OPEN, message, retry_after_s=wait_s).at(provider)
