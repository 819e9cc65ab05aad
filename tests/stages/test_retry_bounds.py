"""What bounds the retries: the pauses, the deadline and the budget."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import CallOptions
from app.core.errors import TARGET_FAILED, TARGET_RATE_LIMITED
from app.core.traffic.retry_budget import RetryBudgets
from app.stages.retry import RetryOptions
from tests.stages.retrying import Bench
from tests.support.calls import OTHER, a_call, an_attempt, answers, fails


async def test_pauses_grow_up_to_their_bound() -> None:
    """Without jitter the pauses are base, base times multiplier, and so on, none longer than the maximum."""
    options = RetryOptions(max_attempts=6, base_s=0.25, max_s=5.0, multiplier=3.0, jitter=0.0)
    bench = Bench(*[fails(TARGET_FAILED)] * 5, answers(), options=options)

    await bench.answer(an_attempt())

    assert bench.clock.slept == [0.25, 0.75, 2.25, 5.0, 5.0]


@pytest.mark.parametrize(("chance", "pause_s"), [(0.0, 3.0), (0.25, 3.5), (0.5, 4.0), (0.75, 4.5)])
async def test_jitter_spreads_around_the_pause(chance: float, pause_s: float) -> None:
    """Chance moves the pause by up to the configured share, down and up alike."""
    options = RetryOptions(max_attempts=2, base_s=4.0, max_s=8.0, multiplier=2.0, jitter=0.25)
    bench = Bench(fails(TARGET_FAILED), answers(), options=options)
    bench.chance = chance

    await bench.answer(an_attempt())

    assert bench.clock.slept == [pause_s]


@settings(deadline=None)  # a busy machine is no failure
@given(
    options=st.builds(
        RetryOptions,
        max_attempts=st.integers(1, 20),
        base_s=st.floats(0.0, 60.0),
        max_s=st.floats(0.0, 600.0),
        multiplier=st.floats(1.0, 10.0),
        jitter=st.floats(0.0, 1.0),
    ),
    chance=st.floats(0.0, 1.0, exclude_max=True),
)
async def test_no_pause_leaves_its_bounds(options: RetryOptions, chance: float) -> None:
    """Over every configuration allowed, each pause is within the jitter of the formula, and none is negative."""
    bench = Bench(*[fails(TARGET_FAILED)] * options.max_attempts, options=options)
    bench.chance = chance

    await bench.failure(an_attempt(a_call(started=bench.clock.now(), total_s=1e9)))

    bounds = [min(options.base_s * options.multiplier**n, options.max_s) for n in range(options.max_attempts - 1)]
    assert len(bench.clock.slept) == len(bounds)
    for slept, bound in zip(bench.clock.slept, bounds, strict=True):
        spread = bound * options.jitter
        assert max(0.0, bound - spread - 1e-9) <= slept <= bound + spread + 1e-9


@pytest.mark.parametrize(("total_s", "tries"), [(0.4, 1), (0.5, 1), (0.6, 2), (1.5, 2), (1.6, 3)])
async def test_no_pause_outlasts_the_deadline(total_s: float, tries: int) -> None:
    """A pause that would end at or after the deadline is not begun: the failure comes out while there is time."""
    bench = Bench(*[fails(TARGET_FAILED)] * 3)
    attempt = an_attempt(a_call(total_s=total_s))

    error = await bench.failure(attempt)

    assert error.kind is TARGET_FAILED
    assert len(bench.provider.asked) == tries
    assert bench.clock.now() < attempt.call.deadline


async def test_a_wish_beyond_the_deadline_is_not_waited_for() -> None:
    """A provider that asks for more time than is left is not asked again, and its wish reaches the client."""
    bench = Bench(fails(TARGET_RATE_LIMITED, retry_after_s=30.0))

    error = await bench.failure(an_attempt(a_call(total_s=30.0)))

    assert error.retry_after_s == 30.0
    assert bench.clock.slept == []


async def test_an_empty_budget_ends_the_retries() -> None:
    """When a target's budget is spent its failures come out at once, and the client is told not to add tries."""
    budgets = RetryBudgets(ratio=0.0, floor_per_s=0.1)
    first = Bench(fails(TARGET_FAILED), answers(), budgets=budgets)
    second = Bench(fails(TARGET_FAILED), budgets=budgets)
    elsewhere = Bench(fails(TARGET_FAILED), answers(), budgets=budgets)
    attempt = an_attempt()

    await first.answer(an_attempt())
    error = await second.failure(attempt)
    await elsewhere.answer(an_attempt(target=OTHER))

    assert error.kind is TARGET_FAILED
    assert attempt.call.journal.retries_spent
    assert (second.clock.slept, second.signals) == ([], [])


async def test_every_call_pays_into_the_budget_of_its_target() -> None:
    """Calls that need no retry, or want none, pay for the retries of those that do."""
    budgets = RetryBudgets(ratio=0.25, floor_per_s=0.0)
    wants_none = a_call(options=CallOptions(retry=False))
    for call in (a_call(), wants_none, a_call()):
        await Bench(answers(), budgets=budgets).answer(an_attempt(call))

    bench = Bench(fails(TARGET_FAILED), answers(), budgets=budgets)
    await bench.answer(an_attempt())

    assert len(bench.provider.asked) == 2


async def test_a_refused_retry_costs_nothing() -> None:
    """A retry that the deadline forbids takes nothing from the budget."""
    budgets = RetryBudgets(ratio=0.0, floor_per_s=0.1)
    await Bench(fails(TARGET_FAILED), budgets=budgets).failure(an_attempt(a_call(total_s=0.1)))

    bench = Bench(fails(TARGET_FAILED), answers(), budgets=budgets)
    await bench.answer(an_attempt())

    assert len(bench.provider.asked) == 2
