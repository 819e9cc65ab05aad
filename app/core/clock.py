"""
Time as an input.

The only module that may read the system's clocks. Everything else receives a `Clock`, so that a test can run
on an event loop with virtual time and finish at once.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Where the gateway's time comes from."""

    def now(self) -> float:
        """Return monotonic seconds; only differences mean anything."""

    def wall(self) -> float:
        """Return seconds since the Unix epoch."""

    async def sleep(self, seconds: float) -> None:
        """Wait; the caller may be cancelled while it does."""


class SystemClock:
    """
    The machine's own time.

    `now` is on the scale of `loop.time()`, which asyncio and uvloop both take from the monotonic clock, so that its
    values may be given to loop timers; uvloop's own is cut to milliseconds, too coarse to measure with.
    """

    now = staticmethod(time.monotonic)  # not wrapped: a call looks at the clock a dozen times
    wall = staticmethod(time.time)

    async def sleep(self, seconds: float) -> None:
        """Wait on the running loop."""
        await asyncio.sleep(seconds)
