"""Signs of life: a worker gives one a second, and also on a machine that lets its loop turn seldom."""

from __future__ import annotations

import pytest
import uvicorn

from app.config.load import Source
from app.core.clock import SystemClock
from app.main import Service
from app.serving.server import GatewayServer
from app.serving.workers import SILENT_S


class HandClock(SystemClock):
    """Time that passes when the test says so."""

    at = 0.0

    def now(self) -> float:
        """Return it."""
        return self.at


class Heard:
    """Whoever wants to know how the server is."""

    def __init__(self, clock: HandClock) -> None:
        self._clock = clock
        self.at: list[float] = []

    def started(self) -> None:
        """Take no note."""

    def beat(self, requests: int) -> None:  # noqa: ARG002 - of every keeper
        """Note when."""
        self.at.append(self._clock.now())

    def stopping(self) -> None:
        """Take no note."""


@pytest.mark.parametrize(("tick_s", "most_s"), [(0.1, 1.2), (5.0, 5.0)], ids=["at rest", "starved"])
async def test_the_loop_tells_that_it_turns(tick_s: float, most_s: float) -> None:
    """However long a tick takes, silence is no longer than that: a slow worker is not taken for one that hangs."""
    source = Source(None, {}, {})
    service = Service(source, source.read(), lambda *, asked: None)  # noqa: ARG005 - nobody else is to be told
    clock = HandClock()
    keeper = Heard(clock)
    server = GatewayServer(uvicorn.Config(service.api), service, keeper, clock)

    for counter in range(1, 100):
        clock.at += tick_s
        await server.on_tick(counter)

    silences = [after - before for before, after in zip(keeper.at, keeper.at[1:], strict=False)]
    assert 0.9 < min(silences)
    assert max(silences) <= most_s < SILENT_S
