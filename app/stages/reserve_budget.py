"""
Reserve what a call may cost on its budgets before its target is chosen, in the same round trip as the rate limits.

Outside of the rate limits, to share that round trip. It refuses no call: one that is answered from the cache costs
nothing, so the result is enforced only where an attempt is accounted for (`spend`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from app.core.accounts import Ahead, Budgets
from app.core.call import Call, Reply, Target
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.money import Budget
from app.core.pipeline import Handler
from app.core.spending.budgets import charge_of
from app.core.spending.prices import Prices

FirstTargets: TypeAlias = Callable[[Call], Sequence[Target]]  # the targets one of which a call asks first


class ReserveBudget:
    """Reserve for every target that may be asked first; what the chosen one does not need is given back."""

    def __init__(
        self, first: FirstTargets, rules: tuple[Budget, ...], prices: Prices, budgets: Budgets, clock: Clock
    ) -> None:
        self._first = first
        self._rules = rules
        self._prices = prices
        self._budgets = budgets
        self._clock = clock

    def __call__(self, call: Call, proceed: Handler[Call]) -> Awaitable[Reply]:
        """Pass every call on."""
        if not self._rules and not call.caller.budgets:
            return proceed(call)
        return self._with_reservation(call, proceed)

    async def _with_reservation(self, call: Call, proceed: Handler[Call]) -> Reply:
        ahead = self._reserve(call)
        if ahead is None:
            return await proceed(call)
        call.journal.ahead = ahead
        try:
            return await proceed(call)
        finally:
            ahead.drop()

    def _reserve(self, call: Call) -> Ahead | None:
        try:
            targets = self._first(call)
        except GatewayError:
            return None  # there is no target; the router will raise this again
        now_s = self._clock.wall()
        charges = [charge_of(self._rules, call, target, self._prices(target), now_s) for target in targets]
        return self._budgets.ahead([charge for charge in charges if charge is not None])
