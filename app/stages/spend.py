"""
Account for every attempt: reserve what it may cost on the budgets, and settle its actual cost once, however it ends.

Around the attempt's own timeout and inside everything that may refuse the attempt, so that each row of the ledger is a
request that a provider got. A budget that leaves no room refuses the attempt, and another target may be cheaper.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final

import msgspec

from app.core.accounts import Budgets, Charge
from app.core.call import Attempt, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_CONNECT, GatewayError
from app.core.model import Completion, Delta
from app.core.money import Budget, usd
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.signals import Listener, Spent
from app.core.spending.budgets import charge_of
from app.core.spending.prices import Price, Prices
from app.core.stream import Batch
from app.core.tokens import prompt_of
from app.core.usage import Usage

_CHARS_PER_TOKEN: Final = 4
_SILENT: Final = frozenset({"timeout"})  # categories of failures after which the provider may still charge


class Spend:
    """Keep the ledger. `rules` are the budgets for all calls; those of a key come with the caller."""

    def __init__(
        self, rules: tuple[Budget, ...], prices: Prices, budgets: Budgets, clock: Clock, listener: Listener
    ) -> None:
        self._rules = rules
        self._prices = prices
        self._budgets = budgets
        self._clock = clock
        self._listener = listener

    def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Awaitable[Reply]:
        """
        Pass the attempt on if its budgets leave room.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, or STATE_UNAVAILABLE where that is the policy.
        """
        price = self._prices(attempt.target)
        charge = charge_of(self._rules, attempt.call, attempt.target, price, self._clock.wall())
        journal = attempt.call.journal
        journal.unshown = None  # left by the attempt before
        meter = _Meter(attempt, price, self._clock, self._listener, journal.attempts)
        if charge is None:
            return settle(attempt, proceed, meter.close, meter.answered)
        return self._within(charge, meter, attempt, proceed)

    async def _within(self, charge: Charge, meter: _Meter, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        """Run the attempt with a reservation on its budgets."""
        ahead = attempt.call.journal.ahead
        hold = None if ahead is None else await ahead.take(charge)
        if hold is None:
            hold = await self._budgets.reserve(charge)
        held = hold

        def close(outcome: Outcome) -> None:
            meter.close(outcome)
            self._budgets.settle(held, meter.spent_nusd)

        return await settle(attempt, proceed, close, meter.answered)


class _Meter(msgspec.Struct):
    """The usage of an attempt, made after `asked` requests of its call; `spent_nusd` is its cost, 0 without a price."""

    attempt: Attempt
    price: Price | None
    clock: Clock
    listener: Listener
    asked: int
    usage: Usage | None = None
    is_answered: bool = False
    chars: int = 0
    spent_nusd: int = 0

    def answered(self, reply: Reply) -> None:
        """Read the usage of a whole answer, or watch a stream for it."""
        self.is_answered = True
        body = reply.body
        if isinstance(body, Completion):
            self._know(body.usage)
        else:
            body.observe(self._watch)

    def close(self, outcome: Outcome) -> None:
        """Report the attempt's row of the ledger."""
        call, target = self.attempt.call, self.attempt.target
        if call.journal.attempts == self.asked:
            return  # no request was sent
        usage = self.usage or call.journal.unshown
        estimated = usage is None
        if usage is None:
            usage = self._estimate(outcome)
        if usage is None:
            return  # providers do not charge for refusals
        if usage is not self.usage:  # else it was counted when the provider reported it
            self._know(usage)
        caller = call.caller
        self.listener(
            Spent(
                request_id=call.id,
                key=caller.id,
                team=caller.team or "",
                route=call.route,
                provider=target.provider,
                model=target.model,
                usage=usage,
                cost_nusd=None if self.price is None else self.spent_nusd,
                estimated=estimated,
                outcome=outcome.end.word,
                at=self.clock.wall(),
            )
        )

    def _watch(self, batch: Batch) -> None:
        for event in batch:
            chunk = event.chunk
            if chunk is None:
                continue
            if chunk.usage is not None:
                self._know(chunk.usage)
            for choice in chunk.choices:
                self.chars += _chars_of(choice.delta)

    def _know(self, usage: Usage | None) -> None:
        self.usage = usage
        if usage is not None and self.price is not None:
            cost_nusd = self.price.of(usage)
            self.attempt.call.journal.cost.add(usd(cost_nusd - self.spent_nusd))
            self.spent_nusd = cost_nusd  # at once, since the last event of a stream shows the cost

    def _estimate(self, outcome: Outcome) -> Usage | None:
        """Estimate the usage that the provider did not report; None where it charges nothing."""
        error = outcome.error
        if not self.is_answered and isinstance(error, GatewayError):
            if error.kind is TIMEOUT_CONNECT or error.kind.category not in _SILENT:
                return None
        elif not self.is_answered and outcome.end is End.FAILED:
            return None
        prompt, answer = prompt_of(self.attempt.call), -(-self.chars // _CHARS_PER_TOKEN)
        return Usage(prompt, answer, prompt + answer)


def _chars_of(delta: Delta) -> int:
    """Return the number of characters in a delta; most deltas hold plain text only."""
    content = delta.content
    chars = len(content) if isinstance(content, str) else 0
    if delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls:
        for text in (delta.reasoning_content, delta.reasoning, delta.refusal):
            chars += len(text or "")
        for tool in delta.tool_calls or ():
            chars += len((tool.function and tool.function.arguments) or "")
    return chars
