"""Budgets are asked early for what a call may cost, and nobody is refused by that alone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from app.core.accounts import Ahead, Charge, Hold, Level
from app.core.call import Attempt, Call, Reply, Target
from app.core.errors import INSUFFICIENT_QUOTA, UNKNOWN_MODEL, GatewayError
from app.core.identity import ANONYMOUS, Caller
from app.core.money import Budget, nano
from app.core.pipeline import compose
from app.core.spending.budgets import charge_of
from app.core.spending.prices import Price, estimate_nusd
from app.stages.fallback import Fallback
from app.stages.reserve_budget import FirstTargets, ReserveBudget
from app.stages.spend import Spend
from tests.support.calls import OTHER, TARGET, THIRD, FakeProvider, a_call, answers, asking, text_of
from tests.support.virtual_time import VirtualClock

CHEAP, DEAR = Price(1.0, 2.0), Price(10.0, 20.0)
PRICES = {TARGET: CHEAP, OTHER: DEAR}
RULE = Budget("all", nano(1.0))


class Asking:
    """Budgets that can be asked ahead; `said` is what happened to them."""

    def __init__(self, *, refuses: bool = False, covers: bool = True) -> None:
        self.said: list[str] = []
        self.charges: list[Charge] = []
        self._refuses = refuses
        self._covers = covers

    def ahead(self, charges: Sequence[Charge]) -> Ahead | None:
        """Take note."""
        self.said.append("ahead")
        self.charges = list(charges)
        return self if charges else None

    async def take(self, charge: Charge) -> Hold | None:
        """Answer as told."""
        self.said.append("take")
        if self._refuses:
            raise GatewayError(INSUFFICIENT_QUOTA, "There is no room.")
        return Hold("early", charge.accounts, charge.amount_nusd) if self._covers else None

    def drop(self) -> None:
        """Take note."""
        self.said.append("drop")

    async def reserve(self, charge: Charge) -> Hold:
        """Hold it."""
        self.said.append("reserve")
        return Hold("late", charge.accounts, charge.amount_nusd)

    def settle(self, hold: Hold, amount_nusd: int) -> None:
        """Take note of what was spent."""
        self.said.append(f"settle {hold.id} {amount_nusd > 0}")

    async def levels(self, accounts: Sequence[object]) -> list[Level]:
        """Know nothing."""
        return [Level(0, 0) for _ in accounts]


class House:
    """The stages of budgets around a route with one target."""

    def __init__(
        self, budgets: Asking, rules: tuple[Budget, ...] = (RULE,), first: FirstTargets = lambda _call: (TARGET,)
    ) -> None:
        clock = VirtualClock()
        self.budgets = budgets
        self.foresee = ReserveBudget(first, rules, PRICES.get, budgets, clock)
        spend = Spend(rules, PRICES.get, budgets, clock, lambda _signal: None)
        attempt = compose([spend], FakeProvider(answers("hello")))
        self._last = Fallback(lambda _call: (TARGET,), attempt, frozenset(), lambda _signal: None)

    async def ask(self, caller: Caller = ANONYMOUS) -> str:
        """Make a call."""
        call = msgspec.structs.replace(a_call(asking("x" * 40, max_tokens=100)), caller=caller)
        return await text_of(await compose([self.foresee], self._last)(call))


async def test_what_was_asked_early_is_used_and_settled() -> None:
    """An attempt takes its hold from it, and asks no more."""
    house = House(Asking())

    assert await house.ask() == "hello"

    assert house.budgets.said == ["ahead", "take", "settle early True", "drop"]


async def test_every_target_that_may_come_first_is_asked_for() -> None:
    """Those without a price cost nothing that is known."""
    house = House(Asking(), first=lambda _call: (TARGET, OTHER, THIRD))
    call = a_call(asking("x" * 40, max_tokens=100))

    await house.ask()

    assert [charge.amount_nusd for charge in house.budgets.charges] == [
        estimate_nusd(call, CHEAP),
        estimate_nusd(call, DEAR),
    ]


async def test_an_attempt_that_is_not_covered_reserves() -> None:
    """As it would have done without."""
    house = House(Asking(covers=False))

    await house.ask()

    assert house.budgets.said == ["ahead", "take", "reserve", "settle late True", "drop"]


async def test_only_an_attempt_is_refused() -> None:
    """A call that needs none, since the cache answers it, may be answered although the budget is spent."""
    house = House(Asking(refuses=True))

    async def from_cache(_call: Call) -> Reply:
        return await FakeProvider(answers("stored"))(Attempt(_call, TARGET, last=True))

    with pytest.raises(GatewayError, match="no room"):
        await house.ask()
    stored = await compose([house.foresee], from_cache)(a_call())

    assert await text_of(stored) == "stored"
    assert house.budgets.said[-2:] == ["ahead", "drop"]


async def test_without_a_budget_nothing_is_asked() -> None:
    """Neither the gateway's nor one of the key."""
    house, keyed = House(Asking(), ()), House(Asking(), ())

    await house.ask()
    await keyed.ask(Caller("k", "k", budgets=(RULE,)))

    assert house.budgets.said == []
    assert keyed.budgets.said[0] == "ahead"


async def test_a_call_that_costs_nothing_is_passed_on() -> None:
    """Nobody knows the price of its target, so nothing was asked ahead."""
    house = House(Asking(), first=lambda _call: (THIRD,))

    await house.ask()

    assert "drop" not in house.budgets.said


async def test_a_model_that_does_not_exist_is_left_to_others() -> None:
    """Whoever looks for its targets says so, after the limits have been asked."""

    def nowhere(_call: Call) -> tuple[Target, ...]:
        raise GatewayError(UNKNOWN_MODEL, "There is no such model.")

    house = House(Asking(), first=nowhere)

    assert await house.ask() == "hello"


def test_what_costs_nothing_needs_no_room() -> None:
    """Free targets, unknown prices, and callers without an account have no charge."""
    call = a_call()
    teams = Budget("team", nano(1.0), ("team",))

    found = [
        charge_of(rules, call, TARGET, price, 0.0)
        for rules, price in [((), CHEAP), ((RULE,), None), ((RULE,), Price()), ((teams,), CHEAP)]
    ]

    assert found == [None] * 4
