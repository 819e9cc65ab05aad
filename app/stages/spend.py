"""
Account for every attempt: hold what it may cost on the budgets, and settle what it did cost, once, however it ends.

Around the attempt's own timeout and inside everything that may refuse the attempt, so that each row of the ledger is a
request that a provider got. A budget that leaves no room refuses the attempt, and another target may be cheaper.
"""

from __future__ import annotations

from typing import Final

import msgspec

from app.core.accounts import Budgets, Hold
from app.core.call import Attempt, End, Outcome, Reply
from app.core.clock import Clock
from app.core.errors import TIMEOUT_CONNECT, GatewayError
from app.core.model import Completion, StreamEvent
from app.core.money import Budget, usd
from app.core.pipeline import Handler, settle
from app.core.signals import Listener, Spent
from app.core.spending.budgets import charge_of
from app.core.spending.prices import Price, Prices
from app.core.tokens import prompt_of
from app.core.usage import Usage

_CHARS_PER_TOKEN: Final = 4
_NO_HOLD: Final = Hold("", (), 0)
_SILENT: Final = frozenset({"timeout"})  # families of failures of a provider that has worked without a word


class SpendOptions(msgspec.Struct, frozen=True):
    """The budgets for everybody; those of a key come with the caller."""

    budgets: tuple[Budget, ...] = ()


class Spend:
    """Keep the ledger."""

    def __init__(
        self, options: SpendOptions, prices: Prices, budgets: Budgets, clock: Clock, listener: Listener
    ) -> None:
        self._options = options
        self._prices = prices
        self._budgets = budgets
        self._clock = clock
        self._listener = listener

    async def __call__(self, attempt: Attempt, proceed: Handler[Attempt]) -> Reply:
        """
        Pass the attempt on if its budgets leave room.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, or STATE_UNAVAILABLE where that is the policy.
        """
        price = self._prices(attempt.target)
        hold = await self._reserve(attempt, price)
        meter = _Meter(attempt, price, self._clock, self._listener)

        def close(outcome: Outcome) -> None:
            spent_nusd = meter.close(outcome)
            if hold.accounts:
                self._budgets.settle(hold, spent_nusd)

        return await settle(attempt, proceed, close, meter.answered)

    async def _reserve(self, attempt: Attempt, price: Price | None) -> Hold:
        charge = charge_of(self._options.budgets, attempt.call, attempt.target, price, self._clock.wall())
        if charge is None:
            return _NO_HOLD
        ahead = attempt.call.journal.ahead
        hold = None if ahead is None else await ahead.take(charge)
        return await self._budgets.reserve(charge) if hold is None else hold


class _Meter:
    """What one attempt used."""

    __slots__ = (
        "_answered",
        "_asked",
        "_attempt",
        "_chars",
        "_clock",
        "_counted_nusd",
        "_listener",
        "_price",
        "_usage",
    )

    def __init__(self, attempt: Attempt, price: Price | None, clock: Clock, listener: Listener) -> None:
        self._attempt = attempt
        self._price = price
        self._clock = clock
        self._listener = listener
        self._counted_nusd = 0
        self._asked = attempt.call.journal.attempts
        attempt.call.journal.unshown = None  # that was another attempt's
        self._usage: Usage | None = None
        self._answered = False
        self._chars = 0

    def answered(self, reply: Reply) -> None:
        """Read the usage of a whole answer, or watch a stream for it."""
        self._answered = True
        body = reply.body
        if isinstance(body, Completion):
            self._know(body.usage)
        else:
            body.observe(self._watch)

    def close(self, outcome: Outcome) -> int:
        """Write the row of the ledger, and return its cost in nano-dollars; 0 if nobody knows the price."""
        if self._attempt.call.journal.attempts == self._asked:
            return 0  # it never came to a request
        usage, estimated = self._usage or self._attempt.call.journal.unshown, False
        if usage is None:
            usage, estimated = self._estimate(outcome), True
        if usage is None:
            return 0  # providers do not charge for refusals
        if usage is not self._usage:  # else it was counted when it was told
            self._know(usage)
        cost = None if self._price is None else self._counted_nusd
        call, target = self._attempt.call, self._attempt.target
        self._listener(
            Spent(
                request_id=call.id,
                key=call.caller.id,
                team=call.caller.team or "",
                route=call.route,
                provider=target.provider,
                model=target.model,
                usage=usage,
                cost_nusd=cost,
                estimated=estimated,
                outcome=outcome.end.value,
                at=self._clock.wall(),
            )
        )
        return cost or 0

    def _watch(self, event: StreamEvent) -> None:
        chunk = event.chunk
        if chunk is None:
            return
        if chunk.usage is not None:
            self._know(chunk.usage)
        for choice in chunk.choices:
            delta = choice.delta
            for text in (delta.content, delta.reasoning_content, delta.reasoning, delta.refusal):
                if text and isinstance(text, str):
                    self._chars += len(text)
            for tool in delta.tool_calls or ():
                self._chars += len((tool.function and tool.function.arguments) or "")

    def _know(self, usage: Usage | None) -> None:
        self._usage = usage
        if usage is not None and self._price is not None:
            cost_nusd = self._price.of(usage)
            self._attempt.call.journal.cost.add(usd(cost_nusd - self._counted_nusd))
            self._counted_nusd = cost_nusd  # at once, since the last event of a stream tells it

    def _estimate(self, outcome: Outcome) -> Usage | None:
        """Guess what a provider charges that did not say; None where it charges nothing."""
        error = outcome.error
        if not self._answered and isinstance(error, GatewayError):
            if error.kind is TIMEOUT_CONNECT or error.kind.category not in _SILENT:
                return None
        elif not self._answered and outcome.end is End.FAILED:
            return None
        prompt, answer = prompt_of(self._attempt.call), -(-self._chars // _CHARS_PER_TOKEN)
        return Usage(prompt, answer, prompt + answer)
