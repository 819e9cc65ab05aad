"""What a call would cost, and which budgets would have to leave room for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from app.core.accounts import Account, Budgets, Level
from app.core.call import Call, Target
from app.core.clock import Clock
from app.core.explain.port import Inquiry
from app.core.money import Budget, usd
from app.core.spending.budgets import accounts_of
from app.core.spending.prices import Prices, estimate_nusd


class TargetPrice(msgspec.Struct, frozen=True):
    """What a call would cost at a target at most, in US dollars; None if nobody knows its price."""

    target: str
    at_most_usd: float | None


class BudgetLevel(msgspec.Struct, frozen=True):
    """A budget that the first target would be charged to. A `hard` one without room refuses the attempt."""

    name: str
    limit_usd: float
    spent_usd: float
    held_usd: float
    hard: bool
    has_room: bool


class PriceSection(msgspec.Struct, frozen=True):
    """An estimate for each target, in the order in which they would be tried, and the budgets of the first."""

    targets: tuple[TargetPrice, ...]
    budgets: tuple[BudgetLevel, ...]


class ExplainPrice(msgspec.Struct, frozen=True):
    """The section `price`, which stands behind `route`; `levels` knows what was spent of the budgets for everybody."""

    prices: Prices
    budgets: tuple[Budget, ...]
    levels: Budgets
    clock: Clock
    section: ClassVar[str] = "price"

    async def explain(self, inquiry: Inquiry) -> PriceSection:
        """Estimate."""
        call, targets = inquiry.call, inquiry.targets
        amounts = [self._at_most_nusd(call, target) for target in targets]
        shown = [
            TargetPrice(target.name, None if amount is None else usd(amount))
            for target, amount in zip(targets, amounts, strict=True)
        ]
        budgets = () if amounts[0] is None else await self._budgets(call, targets[0], amounts[0])
        return PriceSection(tuple(shown), budgets)

    def _at_most_nusd(self, call: Call, target: Target) -> int | None:
        price = self.prices(target)
        if price is None:
            return None
        return 0 if price.free else estimate_nusd(call, price)

    async def _budgets(self, call: Call, target: Target, amount_nusd: int) -> tuple[BudgetLevel, ...]:
        rules: Sequence[Budget] = (*self.budgets, *call.caller.budgets)
        accounts = accounts_of(rules, call, target, self.clock.wall())
        levels = await self.levels.levels(accounts) if accounts else []
        return tuple([_shown(*pair, amount_nusd) for pair in zip(accounts, levels, strict=True)])


def _shown(account: Account, level: Level, amount_nusd: int) -> BudgetLevel:
    budget = account.budget
    left_nusd = budget.limit_nusd - level.spent_nusd - level.held_nusd
    return BudgetLevel(
        name=budget.name,
        limit_usd=usd(budget.limit_nusd),
        spent_usd=usd(level.spent_nusd),
        held_usd=usd(level.held_nusd),
        hard=budget.hard,
        has_room=amount_nusd <= left_nusd,
    )
