"""
An event loop on which time is a number.

Where a real loop would wait, this one moves its clock to the next timer and goes on, so that timeouts, pauses and idle
guards of any length are exact and take no time. A test whose tasks all wait for something that cannot come any more
fails at once with `StalledError`.

A `conftest.py` switches it on for its folder by importing `clock` and `pytest_asyncio_loop_factories`. It is for code
that talks to no socket and no thread: whatever comes from there would come too late.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping

import pytest

START_S = 1024.0  # not 0, which would hide a forgotten start; sums of halves and quarters stay exact up here
EPOCH_S = 1_700_000_000.0


class StalledError(RuntimeError):
    """Nothing is scheduled and nothing is ready: every task waits for ever."""


class VirtualSelector(selectors.DefaultSelector):
    """A selector that moves `now` (seconds) instead of waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START_S

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, and let the time pass that the caller was prepared to wait."""
        ready = super().select(0)
        if ready:
            return ready
        if timeout is None:
            message = "every task waits for something that will never come"
            raise StalledError(message)
        self.now += max(timeout, 0.0)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An asyncio loop whose `time()` begins at `START_S` and jumps from timer to timer."""

    def __init__(self) -> None:
        self._virtual = VirtualSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return virtual seconds."""
        return self._virtual.now

    def stall(self, seconds: float) -> None:
        """Let time pass in which nothing runs."""
        self._virtual.now += seconds


class VirtualClock:
    """The gateway's `Clock` on the running loop; `slept` lists the pauses it was asked for."""

    def __init__(self) -> None:
        self.slept: list[float] = []

    def now(self) -> float:
        """Return the loop's time."""
        return asyncio.get_running_loop().time()

    def wall(self) -> float:
        """Return a made-up time of day that passes as the loop's time does."""
        return EPOCH_S + self.now() - START_S

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        self.slept.append(seconds)
        await asyncio.sleep(seconds)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every asynchronous test of the folder on virtual time."""
    return {"virtual": VirtualTimeLoop}


@pytest.fixture
def clock() -> VirtualClock:
    """Return a clock on the test's own loop."""
    return VirtualClock()
