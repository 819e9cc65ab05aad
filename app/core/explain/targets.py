"""Which targets a call would go to, in which order, what would be in its way, and what it would cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import msgspec

from app.core.accounts import Account, Budgets, Level
from app.core.call import Call, Target
from app.core.circuits import CircuitPolicy, CircuitState
from app.core.clock import Clock
from app.core.explain.port import Inquiry
from app.core.money import Budget, usd
from app.core.ports import Circuits
from app.core.routing.router import Router
from app.core.spending.budgets import accounts_of
from app.core.spending.prices import Prices, estimate_nusd


class TargetPlan(msgspec.Struct, frozen=True):
    """
    A target and its place in the order, counted from 0.

    `circuit` is closed, half_open, open, or off; `in_flight` are attempts at it right now, in this process. `tries` is
    how often it would be tried at most.
    """

    position: int
    target: str
    circuit: str
    in_flight: int
    tries: int


class PassedBy(msgspec.Struct, frozen=True):
    """A target that cannot serve the request, and what it lacks."""

    target: str
    lacks: tuple[str, ...]


class StepPlan(msgspec.Struct, frozen=True):
    """A route (None: a direct name), how it chooses, its targets in order, and those that are passed by."""

    route: str | None
    strategy: str
    targets: tuple[TargetPlan, ...]
    passed_by: tuple[PassedBy, ...]


class RouteSection(msgspec.Struct, frozen=True):
    """The steps in order: the route itself, then its fallbacks, reached by failures of the kinds in `triggers`."""

    steps: tuple[StepPlan, ...]
    triggers: tuple[str, ...]


class RouteFacts(msgspec.Struct, frozen=True):
    """
    What is configured.

    `strategies` are those of each route, `triggers` the kinds of failure that lead to the next target; `tries` is how
    often one is tried, and without a `circuit_breaker` there are no circuits.
    """

    strategies: Mapping[str, str]
    triggers: tuple[str, ...]
    tries: int
    circuit_breaker: CircuitPolicy | None


class ExplainRoute(msgspec.Struct, frozen=True):
    """
    The section `route`.

    The strategies of `router` take no turns; `in_flight` returns how many attempts at a target there are.
    """

    router: Router
    circuits: Circuits
    in_flight: Callable[[Target], int]
    facts: RouteFacts
    section: ClassVar[str] = "route"

    async def explain(self, inquiry: Inquiry) -> RouteSection:
        """Ask the router what it would do, or refuse."""
        call = inquiry.call
        steps = self.router.preview(call)
        inquiry.targets = tuple([target for step in steps for target in step.targets])
        states = await self._states(call)
        found: list[StepPlan] = []
        position = 0
        for step in steps:
            plans = [self._plan(position + n, target, states, call) for n, target in enumerate(step.targets)]
            position += len(plans)
            strategy = self.facts.strategies.get(step.route, "direct") if step.route is not None else "direct"
            passed_by = tuple([PassedBy(target.name, lacks) for target, lacks in step.passed_by])
            found.append(StepPlan(step.route, strategy, tuple(plans), passed_by))
        return RouteSection(tuple(found), self.facts.triggers if call.options.fallback else ())

    async def _states(self, call: Call) -> Mapping[str, str] | None:
        policy = self.facts.circuit_breaker
        if policy is None or not call.options.circuit_breaker:
            return None
        return {view.target: view.state.value for view in await self.circuits.views(policy)}

    def _plan(self, position: int, target: Target, states: Mapping[str, str] | None, call: Call) -> TargetPlan:
        circuit = "off" if states is None else states.get(target.name, CircuitState.CLOSED.value)
        asked = call.options.max_attempts
        tries = 1 if not call.options.retry else self.facts.tries if asked is None else asked
        return TargetPlan(position, target.name, circuit, self.in_flight(target), tries)


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
