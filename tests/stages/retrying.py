"""A retry stage with everything around it at hand."""

from __future__ import annotations

import pytest

from app.core.call import Attempt, Reply
from app.core.errors import GatewayError
from app.core.pipeline import compose
from app.core.signals import Signal
from app.core.traffic.retry_budget import RetryBudgets
from app.stages.retry import Retry, RetryOptions
from tests.support.calls import FakeProvider, Step
from tests.support.virtual_time import VirtualClock

STEADY = RetryOptions(max_attempts=3, base_s=0.5, max_s=8.0, multiplier=2.0, jitter=0.0)


class Bench:
    """A retry stage over a scripted provider, with room in its budget unless told otherwise."""

    def __init__(self, *script: Step, options: RetryOptions = STEADY, budgets: RetryBudgets | None = None) -> None:
        self.clock = VirtualClock()
        self.provider = FakeProvider(*script)
        self.signals: list[Signal] = []
        self.chance = 0.5
        room = budgets or RetryBudgets(ratio=0.0, floor_per_s=1000.0)
        stage = Retry(options, room, self.clock, lambda: self.chance, self.signals.append)
        self._handler = compose([stage], self.provider)

    async def answer(self, attempt: Attempt) -> Reply:
        """Make an attempt that succeeds."""
        return await self._handler(attempt)

    async def failure(self, attempt: Attempt) -> GatewayError:
        """Make an attempt that fails, and return its failure."""
        with pytest.raises(GatewayError) as caught:
            await self._handler(attempt)
        return caught.value
