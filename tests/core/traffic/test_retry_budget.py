"""How many retries a target may see, and how many hedges a route."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from app.core.traffic.retry_budget import KeptShares, RetryBudget, RetryBudgets, Share

WINDOW_S = 10.0
START_S = 5_000.0
ratios = st.sampled_from((0.0, 0.1, 0.2, 0.25, 0.5, 1.0))
pauses = st.sampled_from((0.0, 0.5, 0.9, 1.0, 9.0, 9.5, 10.0)) | st.floats(0.0, 12.0)
floors = st.sampled_from((0.0, 0.05, 0.1, 0.25))


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

    @rule(after_s=pauses, count=st.integers(1, 10))
    def call(self, after_s: float, count: int) -> None:
        """Count calls, after a while."""
        self.now += after_s
        for _ in range(count):
            self.budget.deposit(self.now)
        self.calls += [self.now] * count

    @rule(after_s=pauses, count=st.sampled_from((1, 3, 100)))
    def retry(self, after_s: float, count: int) -> None:
        """Ask for retries, after a while; of the last ten seconds' no more are granted than was promised, nor fewer."""
        self.now += after_s
        sure = self.ratio * self.recent(self.calls, WINDOW_S - 1.0) + WINDOW_S * self.floor_per_s
        sure -= self.recent(self.retries, WINDOW_S + 1.0)
        taken = granted(self.budget, self.now, count)
        self.retries += [self.now] * taken
        most = self.ratio * self.recent(self.calls, WINDOW_S) + WINDOW_S * self.floor_per_s
        assert taken >= min(count, math.floor(sure + 1e-9)), (
            "refused although calls of the last nine seconds pay for it"
        )
        assert not taken or self.recent(self.retries, WINDOW_S) <= most + 1e-9, "granted although nobody pays for it"

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


@settings(deadline=None)  # a busy machine is no failure
@given(st.floats(0.0, 20.0))
def test_a_clock_that_goes_back_opens_nothing(seconds: float) -> None:
    """A reading from before the last one neither crashes nor refills the budget."""
    budget = RetryBudget(ratio=0.0, floor_per_s=1.0)
    granted(budget, START_S)

    assert granted(budget, START_S - seconds) == 0
    assert granted(budget, START_S) == 0


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

    for number in range(5000):
        budgets.of(f"acme/{number}")
        budgets.of("acme/busy")

    assert granted(budgets.of("acme/busy"), START_S) == 0
    assert granted(budgets.of("acme/idle"), START_S) == 10


@given(st.lists(st.booleans(), max_size=500), st.floats(0.0, 1.0))
def test_a_share_is_never_exceeded(steps: list[bool], ratio: float) -> None:
    """Whatever is counted and asked for in whatever order, no more is taken than the share of the calls so far."""
    share, calls, taken = Share(ratio), 0, 0

    for call in steps:
        if call:
            share.deposit()
            calls += 1
        else:
            taken += share.withdraw()
        assert taken <= ratio * calls + 1e-6


def test_a_share_is_used_to_the_full() -> None:
    """One in twenty is one after twenty calls, not after nineteen, and ten after two hundred."""
    share, found = Share(0.05), []

    for calls in range(1, 201):
        share.deposit()
        if share.withdraw():
            found.append(calls)

    assert found == list(range(20, 201, 20))


def test_calm_hours_are_not_saved_up() -> None:
    """After any number of calls without a hedge at most ten follow each other."""
    share = Share(0.5)

    for _ in range(1000):
        share.deposit()

    assert sum(share.withdraw() for _ in range(100)) == 10


def test_a_reload_forgets_no_share_that_stays_as_it_is() -> None:
    """A route with another ratio begins anew, as one does that was away."""
    kept = KeptShares()
    first = kept.keep({"a": 0.1, "b": 0.2})

    second = kept.keep({"a": 0.1, "b": 0.3})
    third = kept.keep({"a": 0.1, "c": 0.2})

    assert list(second) == ["a", "b"]
    assert first["a"] is second["a"] is third["a"]
    assert first["b"] is not second["b"]
    assert kept.keep({"b": 0.3})["b"] is not second["b"]
