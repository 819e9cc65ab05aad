"""
Try one target again while the failure allows it, time remains and the target's retry budget has room.

Streams need no special case: until it commits, a stream fails like a whole answer, and never reaches this stage
afterwards. Nothing else in the gateway retries, the HTTP client included.
"""

from __future__ import annotations

import msgspec

from app.core.call import Attempt, CallOptions, Reply
from app.core.clock import Clock
from app.core.errors import CIRCUIT_OPEN, OVERLOADED, Again, GatewayError
from app.core.pipeline import Handler
from app.core.ports import Chance
from app.core.signals import Listener, RetryScheduled
from app.core.traffic.retry_budget import RetryBudgets

_NOT_ASKED = (CIRCUIT_OPEN, OVERLOADED)  # refused by the gateway: the caller gets the error at once


class RetryOptions(msgspec.Struct, frozen=True):
    """
    How to pause: `min(base_s * multiplier ** n, max_s) * (1 ± jitter * random)`, n counting from 0.

    `max_attempts` counts tries of one target, the first included. `errors` holds the failures that are retried, as
    kinds, codes and statuses of the provider; None leaves the choice to the error table.
    """

    max_attempts: int
    base_s: float
    max_s: float
    multiplier: float
    jitter: float
    errors: frozenset[str | int] | None = None


class Retry:
    """Retry transient failures of one target. Outside the breaker, because each try counts by itself."""

    def __init__(
        self, options: RetryOptions, budgets: RetryBudgets, clock: Clock, chance: Chance, listener: Listener
    ) -> None:
        self._options = options
        self._budgets = budgets
        self._clock = clock
        self._chance = chance
        self._listener = listener

    async def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        """Return the first answer, or raise the failure after which no further try is allowed."""
        budget = self._budgets.of(attempt.target.name)
        budget.deposit(self._clock.now())
        tries = 1
        failure: GatewayError | None = None
        while True:
            try:
                return await proceed(attempt)
            except GatewayError as error:
                if failure is not None and error.kind in _NOT_ASKED:
                    attempt.call.journal.retries_spent = True
                    raise failure from error  # the target's own error is more informative than the refusal
                if not self._transient(error, attempt):
                    raise
                pause = self._pause_s(error, tries - 1)
                now = self._clock.now()
                if tries >= self._tries_max(attempt.call.options) or now + pause >= attempt.call.deadline:
                    attempt.call.journal.retries_spent |= tries > 1
                    raise
                if not budget.withdraw(now):
                    attempt.call.journal.retries_spent = True  # a retry by the client would defeat the budget
                    raise
                self._report(error, attempt, tries, pause)
                failure = error
            await self._clock.sleep(pause)
            attempt.call.journal.upstream_s += pause  # the provider causes the pause, not the gateway
            tries += 1

    def _tries_max(self, options: CallOptions) -> int:
        if not options.retry:
            return 1
        return self._options.max_attempts if options.max_attempts is None else options.max_attempts

    def _transient(self, error: GatewayError, attempt: Attempt) -> bool:
        """Return whether to retry the same target; a busy one only if it is the last."""
        kind, errors = error.kind, self._options.errors
        if kind in _NOT_ASKED:
            return False  # waiting inside the gateway would add to its load
        if errors is None:
            wanted = kind.again is Again.HERE or (kind.again is Again.ELSEWHERE and kind.retryable)
        else:
            wanted = not errors.isdisjoint((kind.code, kind.category, error.upstream_status or 0))
        return wanted and (kind.again is not Again.ELSEWHERE or attempt.last)

    def _pause_s(self, error: GatewayError, failures_before: int) -> float:
        """Return the pause: the provider's Retry-After if it sent one, else exponential backoff with jitter."""
        if error.retry_after_s is not None:
            return error.retry_after_s
        options = self._options
        bound = min(options.base_s * options.multiplier**failures_before, options.max_s)
        return bound * (1.0 + options.jitter * (2.0 * self._chance() - 1.0))

    def _report(self, error: GatewayError, attempt: Attempt, tries: int, pause: float) -> None:
        target, kind = attempt.target, error.kind
        self._listener(
            RetryScheduled(attempt.call.id, target.provider, target.model, kind.code, kind.category, tries, pause)
        )
