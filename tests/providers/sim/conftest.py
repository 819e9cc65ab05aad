"""The scripted provider on a clock that does not wait."""

from __future__ import annotations

import pytest

from app.providers.sim import SimUpstream
from tests.providers.sim.asking import ListedClock


@pytest.fixture
def clock() -> ListedClock:
    """Return the clock that `sim` pauses on."""
    return ListedClock()


@pytest.fixture
def sim(clock: ListedClock) -> SimUpstream:
    """Return a scripted provider whose chance is always one half."""
    return SimUpstream(clock, lambda: 0.5)
