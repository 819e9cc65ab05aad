"""
Where a process is on its way from its start to its end.

It serves; it drains, while load balancers learn that it is going and calls come to their end; at last it cuts off what
has not ended in time. It never turns back.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum


class Phase(IntEnum):
    """The phases in their order."""

    SERVING = 0
    DRAINING = 1
    CUTTING = 2


class Lifecycle:
    """The phase of one process. Whoever needs it asks; long answers that serve nobody's call may wait for its end."""

    def __init__(self) -> None:
        self._phase = Phase.SERVING
        self._ending = asyncio.Event()

    @property
    def draining(self) -> bool:
        """Say whether the process takes calls only because not everybody knows yet that it is going."""
        return self._phase >= Phase.DRAINING

    @property
    def cutting(self) -> bool:
        """Say whether a call that is cancelled now was cancelled because the process ends."""
        return self._phase >= Phase.CUTTING

    def drain(self) -> None:
        """Begin to end."""
        self._phase = max(self._phase, Phase.DRAINING)
        self._ending.set()

    def cut(self) -> None:
        """Let no call go on; the caller cancels them right after this."""
        self._phase = Phase.CUTTING
        self._ending.set()

    async def ending(self) -> None:
        """Return once the process begins to end."""
        await self._ending.wait()
