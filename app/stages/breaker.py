"""Circuit breaking: skip targets that keep failing. One circuit per target, updated at the end of each answer."""

from __future__ import annotations

from collections.abc import Awaitable

from app.core.call import Attempt, Reply
from app.core.circuits import CircuitPolicy, Ticket, is_last_resort, verdict_of, wished_s
from app.core.outcome import Outcome
from app.core.pipeline import Handler, settle
from app.core.ports import Circuits

NAME_MAX_CHARS = 512  # no model has a longer name; callers who invent names must not fill the store with them


class Breaker:
    """Ask the target's circuit before each try. Inside the retry, because each try counts by itself."""

    def __init__(self, circuits: Circuits, policy: CircuitPolicy) -> None:
        self._circuits = circuits
        self._policy = policy

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Pass the attempt on unless its circuit is open; a caller may switch circuit breaking off for its call.

        Raises:
            GatewayError: CIRCUIT_OPEN or STATE_UNAVAILABLE.
        """
        if not attempt.call.options.circuit_breaker or len(attempt.target.model) > NAME_MAX_CHARS:
            return proceed(attempt)
        ticket = self._circuits.closed(attempt.target, self._policy)
        return self._admit(attempt, proceed) if ticket is None else self._judged(attempt, proceed, ticket)

    async def _admit(self, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        ticket = await self._circuits.admit(attempt.target, self._policy, last_resort=is_last_resort(attempt))
        return await self._judged(attempt, proceed, ticket)

    def _judged(self, attempt: Attempt, proceed: Handler[Attempt], ticket: Ticket) -> Awaitable[Reply]:
        def judge(outcome: Outcome) -> None:
            rest_s = 0.0 if outcome.error is None else wished_s(outcome)
            self._circuits.report(ticket, verdict_of(outcome), rest_s, attempt.call.id)

        return settle(attempt, proceed, judge)
