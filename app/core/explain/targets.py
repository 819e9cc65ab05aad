"""Explainers of routing and price: the targets of a call in order, their circuits, its maximum cost and budgets."""

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
    A target and its position in the order, from 0.

    `circuit` is closed, half_open, open, or off; `in_flight` counts the current attempts at the target in this process.
    `tries` is the maximum number of attempts.
    """

    position: int
    target: str
    circuit: str
    in_flight: int
    tries: int


class PassedBy(msgspec.Struct, frozen=True):
    """A target that cannot serve the request, and the features that it lacks."""

    target: str
    lacks: tuple[str, ...]


class StepPlan(msgspec.Struct, frozen=True):
    """A route (None: a direct model name), its strategy, its targets in order, and those that are skipped."""

    route: str | None
    strategy: str
    targets: tuple[TargetPlan, ...]
    passed_by: tuple[PassedBy, ...]


class RouteSection(msgspec.Struct, frozen=True):
    """The steps in order: the route itself, then its fallbacks, which failures of the kinds in `triggers` lead to."""

    steps: tuple[StepPlan, ...]
    triggers: tuple[str, ...]


class RouteFacts(msgspec.Struct, frozen=True):
    """
    The configuration of routing.

    `strategies` are by route, `triggers` the kinds of failure that lead to the next target; `tries` is the maximum
    number of attempts at one target. Without a `circuit_breaker` there are no circuits.
    """

    strategies: Mapping[str, str]
    triggers: tuple[str, ...]
    tries: int
    circuit_breaker: CircuitPolicy | None


class ExplainRoute(msgspec.Struct, frozen=True):
    """
    Explains the section `route`.

    The strategies of `router` must not take turns (as round robin does); `in_flight` returns the number of current
    attempts at a target.
    """

    router: Router
    circuits: Circuits
    in_flight: Callable[[Target], int]
    facts: RouteFacts
    section: ClassVar[str] = "route"

    async def explain(self, inquiry: Inquiry) -> RouteSection:
        """Return the route's steps and set the targets of `inquiry`, or raise the router's refusal."""
        call = inquiry.call
        steps = self.router.preview(call)
        inquiry.targets = tuple([target for step in steps for target in step.targets])
        states = await self._states(call)
        step_plans: list[StepPlan] = []
        position = 0
        for step in steps:
            plans = [self._plan(position + n, target, states, call) for n, target in enumerate(step.targets)]
            position += len(plans)
            strategy = self.facts.strategies.get(step.route, "direct") if step.route is not None else "direct"
            passed_by = tuple([PassedBy(target.name, lacks) for target, lacks in step.passed_by])
            step_plans.append(StepPlan(step.route, strategy, tuple(plans), passed_by))
        return RouteSection(tuple(step_plans), self.facts.triggers if call.options.fallback else ())

    async def _states(self, call: Call) -> Mapping[str, str] | None:
        policy = self.facts.circuit_breaker
        if policy is None or not call.options.circuit_breaker:
            return None
        return {view.target: view.state.value for view in await self.circuits.views(policy)}

    def _plan(self, position: int, target: Target, states: Mapping[str, str] | None, call: Call) -> TargetPlan:
        circuit = "off" if states is None else states.get(target.name, CircuitState.CLOSED.value)
        max_attempts = call.options.max_attempts
        tries = 1 if not call.options.retry else self.facts.tries if max_attempts is None else max_attempts
        return TargetPlan(position, target.name, circuit, self.in_flight(target), tries)


class TargetPrice(msgspec.Struct, frozen=True):
    """The maximum cost of a call at a target, in US dollars; None if its price is unknown."""

    target: str
    at_most_usd: float | None


class BudgetLevel(msgspec.Struct, frozen=True):
    """A budget that an attempt at the first target would be charged to; a `hard` one without room refuses it."""

    name: str
    limit_usd: float
    spent_usd: float
    held_usd: float
    hard: bool
    has_room: bool


class PriceSection(msgspec.Struct, frozen=True):
    """An estimate for each target, in the order of attempts, and the budgets of the first."""

    targets: tuple[TargetPrice, ...]
    budgets: tuple[BudgetLevel, ...]


class ExplainPrice(msgspec.Struct, frozen=True):
    """Explains the section `price`, after `route`; `levels` holds what was spent of each budget."""

    prices: Prices
    budgets: tuple[Budget, ...]
    levels: Budgets
    clock: Clock
    section: ClassVar[str] = "price"

    async def explain(self, inquiry: Inquiry) -> PriceSection:
        """Return the price of the call at each target, and the budgets of the first."""
        call, targets = inquiry.call, inquiry.targets
        amounts = [self._at_most_nusd(call, target) for target in targets]
        prices = [
            TargetPrice(target.name, None if amount is None else usd(amount))
            for target, amount in zip(targets, amounts, strict=True)
        ]
        budgets = () if amounts[0] is None else await self._budgets(call, targets[0], amounts[0])
        return PriceSection(tuple(prices), budgets)

    def _at_most_nusd(self, call: Call, target: Target) -> int | None:
        price = self.prices(target)
        if price is None:
            return None
        return 0 if price.free else estimate_nusd(call, price)

    async def _budgets(self, call: Call, target: Target, amount_nusd: int) -> tuple[BudgetLevel, ...]:
        rules: Sequence[Budget] = (*self.budgets, *call.caller.budgets)
        accounts = accounts_of(rules, call, target, self.clock.wall())
        levels = await self.levels.levels(accounts) if accounts else []
        return tuple([_budget_level(*pair, amount_nusd) for pair in zip(accounts, levels, strict=True)])


def _budget_level(account: Account, level: Level, amount_nusd: int) -> BudgetLevel:
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
