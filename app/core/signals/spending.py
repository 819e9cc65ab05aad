"""What attempts cost, and budgets that come to their end."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from app.core.usage import Usage


class Spent(msgspec.Struct, frozen=True):
    """
    One attempt was accounted for: a row of the ledger.

    `key` and `team` say on whose behalf, as far as that is known; `route` is what the client asked for. `cost_nusd` is
    in billionths of a dollar, None if nobody knows the price. `estimated` says that the provider did not report the
    usage; `outcome` is how the attempt ended, and `at` the wall time of that.
    """

    request_id: str
    key: str
    team: str
    route: str
    provider: str
    model: str
    usage: Usage
    cost_nusd: int | None
    estimated: bool
    outcome: str
    at: float


class BudgetReached(msgspec.Struct, frozen=True):
    """Spending reached the given share of a budget's limit; told once for each share, period and subject."""

    budget: str
    share: float
    spent_usd: float
    limit_usd: float


SpendingSignal: TypeAlias = Spent | BudgetReached
