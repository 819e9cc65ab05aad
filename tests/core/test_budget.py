"""How many retries a target may see."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from app.core.budget import RetryBudget, RetryBudgets

WINDOW_S = 10.0
START_S = 5_000.0
ratios = st.sampled_from((0.0, 0.1, 0.2, 0.25, 0.5, 1.0))
floors = st.sampled_from((0.0, 0.05, 0.1, 0.25, 1.0))


def granted(budget: RetryBudget, now: float, asked: int = 1000) -> int:
    """Ask for retries until one is refused, and say how many were granted."""
    for count in range(asked):
        if not budget.withdraw(now):
            return count
    return asked


class BudgetMachine(RuleBasedStateMachine):
    """Any order of calls, retries and time passing, next to plain lists of when they happened."""

    @initialize(ratio=ratios, floor_per_s=floors)
    def begin(self, ratio: float, floor_per_s: float) -> None:
        """Open a budget."""
        self.ratio, self.floor_per_s = ratio, floor_per_s
        self.budget = RetryBudget(ratio, floor_per_s)
        self.now = START_S
        self.calls: list[float] = []
        self.retries: list[float] = []
        self.worst = 0.0

    @rule(seconds=st.floats(0.0, 12.0))
    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds

    @rule(count=st.integers(1, 12))
    def call(self, count: int) -> None:
        """Count calls."""
        for _ in range(count):
            self.budget.deposit(self.now)
        self.calls += [self.now] * count

    @rule(count=st.integers(1, 12))
    def retry(self, count: int) -> None:
        """Ask for retries; those granted must fit into the last ten seconds."""
        self.retries += [self.now] * granted(self.budget, self.now, count)
        allowed = self.ratio * self.recent(self.calls, WINDOW_S) + 10.0 * self.floor_per_s
        self.worst = max(self.worst, self.recent(self.retries, WINDOW_S) - allowed)

    @rule()
    def ask_when_there_is_room(self) -> None:
        """Ask for one retry where the calls of nine seconds pay for it and all retries in memory: it is granted."""
        paid = self.ratio * self.recent(self.calls, WINDOW_S - 1.0) + 10.0 * self.floor_per_s
        if paid - self.recent(self.retries, WINDOW_S + 1.0) >= 1.0:
            assert self.budget.withdraw(self.now)
            self.retries.append(self.now)

    @invariant()
    def never_over(self) -> None:
        """At no moment were more retries granted than the promise allows."""
        if hasattr(self, "worst"):
            assert self.worst <= 1e-9, f"{self.worst:g} retries too many within ten seconds"

    def recent(self, times: list[float], window_s: float) -> int:
        """Count what happened in the last `window_s`."""
        return sum(self.now - window_s < time for time in times)


BudgetMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=25, deadline=None, derandomize=True)
TestPromise = BudgetMachine.TestCase


def test_the_floor_is_there_before_any_call() -> None:
    """A quiet target may be retried as often as the floor allows in ten seconds, and no more."""
    assert granted(RetryBudget(ratio=0.2, floor_per_s=3.0), START_S) == 30
    assert granted(RetryBudget(ratio=0.2, floor_per_s=0.05), START_S) == 0


@pytest.mark.parametrize("ratio", [0.1, 0.2, 0.25, 0.7, 1.0])
def test_calls_pay_for_their_share_exactly(ratio: float) -> None:
    """A hundred calls pay for a hundred times the ratio; sums of fractions lose none."""
    budget = RetryBudget(ratio, floor_per_s=0.0)

    for _ in range(100):
        budget.deposit(START_S)

    assert granted(budget, START_S) == round(100 * ratio)


def test_calls_count_for_ten_seconds() -> None:
    """The share of a call can be spent in its own and the nine seconds after it, then it is gone."""
    early, late = RetryBudget(1.0, 0.0), RetryBudget(1.0, 0.0)
    for budget in (early, late):
        budget.deposit(START_S)

    assert granted(early, START_S + 9.9) == 1
    assert granted(late, START_S + 10.0) == 0


def test_retries_are_held_against_the_target_for_ten_seconds() -> None:
    """A spent floor is whole again when the retries that spent it are more than ten seconds old, not before."""
    budget = RetryBudget(ratio=0.0, floor_per_s=1.0)

    assert granted(budget, START_S + 0.9) == 10
    assert granted(budget, START_S + 9.9) == 0
    assert granted(budget, START_S + 10.0) == 0
    assert granted(budget, START_S + 11.0) == 10


def test_a_long_silence_forgets_everything() -> None:
    """After any time without calls the budget is as good as new."""
    budget = RetryBudget(ratio=1.0, floor_per_s=1.0)
    for _ in range(50):
        budget.deposit(START_S)
    granted(budget, START_S)

    assert granted(budget, START_S + 1_000_000.0) == 10


@given(st.floats(0.0, 20.0))
def test_a_clock_that_goes_back_opens_nothing(seconds: float) -> None:
    """A reading from before the last one neither crashes nor refills the budget."""
    budget = RetryBudget(ratio=0.0, floor_per_s=1.0)
    granted(budget, START_S)

    assert granted(budget, START_S - seconds) == 0


def test_each_target_has_its_own_budget() -> None:
    """Retries of one target are not held against another, and a target keeps its budget from call to call."""
    budgets = RetryBudgets(ratio=0.0, floor_per_s=1.0)

    granted(budgets.of("acme/small"), START_S)

    assert granted(budgets.of("acme/small"), START_S) == 0
    assert granted(budgets.of("acme/large"), START_S) == 10


def test_the_table_forgets_the_target_unused_for_longest() -> None:
    """Naming ever new models ends in forgetting those not used for longest, never those in use."""
    budgets = RetryBudgets(ratio=0.0, floor_per_s=1.0)
    granted(budgets.of("acme/idle"), START_S)
    granted(budgets.of("acme/busy"), START_S)

    for number in range(4095):
        budgets.of(f"acme/{number}")
        budgets.of("acme/busy")

    assert granted(budgets.of("acme/busy"), START_S) == 0
    assert granted(budgets.of("acme/idle"), START_S) == 10
