"""Stand-ins for the model's process, as commands; the clock and the ear of a supervisor."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from app.core.clock import Clock
from app.core.signals import Listener, LocalModelChanged, Signal
from app.providers.local.supervisor import LocalModel

LONG_S = 90.0  # how long a busy machine may take to start a Python

_GREETING = 'import os, sys; print(\'{"url": "http://127.0.0.1:1", "key": "%d"}\' % os.getpid(), flush=True); '

# Each greeting gives the process's own id as the key.
GREETS: Final = (sys.executable, "-c", _GREETING + "sys.stdin.read()")
GREETS_AND_DIES: Final = (sys.executable, "-c", _GREETING)
GREETS_AND_STAYS: Final = (sys.executable, "-c", _GREETING + "import time; time.sleep(60)")
SILENT: Final = (sys.executable, "-c", "import sys; sys.stdin.read()")
DIES: Final = (sys.executable, "-c", "")
BABBLES: Final = (sys.executable, "-c", "print('loading...')")
ABSENT: Final = ("no-such-program-anywhere",)


class QuickClock:
    """A clock on which no time passes in pauses, but `step_s` whenever somebody looks at it."""

    def __init__(self, step_s: float = 0.0) -> None:
        self.slept: list[float] = []
        self._more = asyncio.Event()
        self._now = 0.0
        self._step_s = step_s

    def now(self) -> float:
        """Move on by a step."""
        self._now += self._step_s
        return self._now

    def wall(self) -> float:
        """Stand still."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Take note."""
        self.slept.append(seconds)
        self._more.set()

    async def pauses(self, count: int) -> list[float]:
        """Return the first pauses, once there were so many."""
        async with asyncio.timeout(LONG_S):
            while len(self.slept) < count:
                self._more.clear()
                await self._more.wait()
        return self.slept[:count]


class Ear:
    """A listener that remembers what changed."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self._more = asyncio.Event()

    def __call__(self, signal: Signal) -> None:
        """Take note."""
        assert isinstance(signal, LocalModelChanged)
        self.states.append(signal.state)
        self._more.set()

    async def hears(self, state: str) -> None:
        """Return once the model has been in `state`."""
        async with asyncio.timeout(LONG_S):
            while state not in self.states:
                self._more.clear()
                await self._more.wait()


@asynccontextmanager
async def alive(command: Sequence[str], clock: Clock, listener: Listener) -> AsyncIterator[LocalModel]:
    """Start a model, and end it in the end."""
    model = LocalModel(command, clock, listener)
    model.start()
    try:
        yield model
    finally:
        await model.aclose()
