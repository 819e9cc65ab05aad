"""Activity of the last minutes, from snapshots of a worker's totals."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable
from typing import Final

import msgspec

from app.core.background import BackgroundWork
from app.core.clock import Clock
from app.telemetry.live.totals import Totals

RECENT: Final = "recent"  # the topic of questions between workers
EVERY_S: Final = 5.0
WINDOWS_S: Final = (10.0, 60.0, 300.0)


class Window(msgspec.Struct, frozen=True):
    """Activity of the last `seconds`, which are fewer than requested soon after the start."""

    seconds: float
    totals: Totals

    def __add__(self, other: Window) -> Window:
        return Window(max(self.seconds, other.seconds), self.totals + other.totals)


class Recent(BackgroundWork):
    """
    Takes a snapshot of the totals every `EVERY_S` while its context is open; calls pay nothing for it.

    Args:
        totals: Returns the current totals.

        clock: Paces the snapshots.
    """

    def __init__(self, totals: Callable[[], Totals], clock: Clock) -> None:
        self._totals = totals
        self._clock = clock
        self._seen: deque[tuple[float, Totals]] = deque([(clock.now(), Totals())], int(WINDOWS_S[-1] / EVERY_S) + 1)

    def windows(self) -> list[Window]:
        """Return the activity of each of `WINDOWS_S`."""
        now, totals = self._clock.now(), self._totals()
        found = []
        for length_s in WINDOWS_S:
            old = [seen for seen in self._seen if seen[0] <= now - length_s]
            began, before = old[-1] if old else self._seen[0]
            found.append(Window(max(now - began, 0.001), totals - before))
        return found

    async def answer(self, _about: bytes) -> AsyncGenerator[bytes, None]:
        """Answer another worker."""
        yield msgspec.msgpack.encode(self.windows())

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(EVERY_S)
            self._seen.append((self._clock.now(), self._totals()))
