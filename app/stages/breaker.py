"""Leave targets alone that keep failing; judge each answer at its end. One circuit for each target."""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Attempt, Reply
from app.core.circuits import CircuitPolicy, Ticket, is_last_resort, verdict_of, wished_s
from app.core.outcome import Outcome
from app.core.pipeline import Handler, settle
from app.core.ports import Circuits

NAME_MAX_CHARS = 512  # no model has such a name, and a caller who makes one up must not fill the store with it


class Breaker:
    """Ask the target's circuit before each try. Inside the retry, so that each try is judged alone."""

    def __init__(self, circuits: Circuits, policy: CircuitPolicy) -> None:
        self._circuits = circuits
        self._policy = policy

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Pass the attempt on unless its circuit is open, or its caller asked for no circuit breaking.

        Raises:
            GatewayError: CIRCUIT_OPEN or STATE_UNAVAILABLE.
        """
        if not attempt.call.options.circuit_breaker or len(attempt.target.model) > NAME_MAX_CHARS:
            return proceed(attempt)
        ticket = self._circuits.closed(attempt.target, self._policy)
        return self._ask(attempt, proceed) if ticket is None else self._judged(attempt, proceed, ticket)

    async def _ask(self, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        ticket = await self._circuits.admit(attempt.target, self._policy, last_resort=is_last_resort(attempt))
        return await self._judged(attempt, proceed, ticket)

    def _judged(self, attempt: Attempt, proceed: Handler[Attempt], ticket: Ticket) -> Awaitable[Reply]:
        def judge(outcome: Outcome) -> None:
            wish_s = 0.0 if outcome.error is None else wished_s(outcome)
            self._circuits.report(ticket, verdict_of(outcome), wish_s, attempt.call.id)

        return settle(attempt, proceed, judge)
