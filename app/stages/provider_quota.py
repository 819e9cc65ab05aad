"""
Skip targets whose provider has reported that its own rate limits are used up (opt-in by provider).

A call moves on to its next target at once, instead of being refused by the provider.
"""

from __future__ import annotations

from collections.abc import Awaitable
from collections.abc import Set as AbstractSet

from app.core.call import Attempt, Reply
from app.core.clock import Clock
from app.core.errors import TARGET_RATE_LIMITED, GatewayError
from app.core.limits.quotas import Quotas
from app.core.pipeline import Handler
from app.core.tokens import prompt_of


class ProviderQuota:
    """Check the remaining quota before an attempt at one of `providers`."""

    def __init__(self, quotas: Quotas, providers: AbstractSet[str], clock: Clock) -> None:
        self._quotas = quotas
        self._providers = providers
        self._clock = clock

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Pass the attempt on unless its provider would refuse it.

        Raises:
            GatewayError: TARGET_RATE_LIMITED.
        """
        target = attempt.target
        if target.provider in self._providers:
            spent = self._quotas.take(target.name, lambda: prompt_of(attempt.call), self._clock.now())
            if spent is not None:
                measure, wait_s = spent
                message = f"{target.provider!r} said that its limit of {measure.value} is used up for {wait_s:.3g} s."
                raise GatewayError(TARGET_RATE_LIMITED, message, retry_after_s=round(wait_s, 3)).at(target.provider)
        return proceed(attempt)
