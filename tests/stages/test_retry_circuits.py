"""How retries and open circuits go together: an open circuit is never slept on."""

from __future__ import annotations

import pytest

from app.core.errors import CIRCUIT_OPEN, TARGET_FAILED, GatewayError
from app.core.pipeline import compose
from app.core.signals import Signal
from app.core.traffic.retry_budget import RetryBudgets
from app.stages.retry import Retry, RetryOptions
from tests.support.calls import FakeProvider, Step, a_call, an_attempt, fails
from tests.support.virtual_time import VirtualClock

OPTIONS = RetryOptions(max_attempts=5, base_s=0.25, max_s=8.0, multiplier=2.0, jitter=0.0)


async def failure(clock: VirtualClock, *script: Step, last: bool) -> tuple[GatewayError, bool]:
    """Return what a call fails with, and whether its client should not retry either."""
    told: list[Signal] = []
    retry = Retry(OPTIONS, RetryBudgets(0.0, 100.0), clock, lambda: 0.5, told.append)
    call = a_call()
    with pytest.raises(GatewayError) as caught:
        await compose([retry], FakeProvider(*script))(an_attempt(call, last=last))
    return caught.value, call.journal.retries_spent


@pytest.mark.parametrize("last", [True, False])
async def test_an_open_circuit_is_told_at_once(clock: VirtualClock, last: bool) -> None:
    """Also by the last target, and although the refusal says when to come back."""
    error, spent = await failure(clock, fails(CIRCUIT_OPEN, retry_after_s=1.0), last=last)

    assert (CIRCUIT_OPEN, False, []) == (error.kind, spent, clock.slept)


async def test_the_try_that_opened_the_circuit_is_what_the_call_failed_with(clock: VirtualClock) -> None:
    """The refusal of the try after it would hide the cause."""
    error, spent = await failure(clock, fails(TARGET_FAILED), fails(CIRCUIT_OPEN, retry_after_s=30.0), last=True)

    assert (TARGET_FAILED, True, [0.25]) == (error.kind, spent, clock.slept)
