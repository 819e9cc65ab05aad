"""Calls that repeat others, in the memory of this process. Nothing waits but `wait`, so every decision is atomic."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable

from app.core.clock import Clock
from app.core.idempotency import Answered, Busy, Claim, Different, Leading
from app.state.idempotency import RepeatLimits


class _Running:
    """A call in progress, and those who wait for it."""

    def __init__(self, token: str, fingerprint: bytes) -> None:
        self.token = token
        self.fingerprint = fingerprint
        self.ended = asyncio.Event()


class LocalRepeats:
    """The `Repeats` of one process; beyond the bounds the oldest answers are dropped."""

    def __init__(self, limits: RepeatLimits, clock: Clock, new_token: Callable[[], str]) -> None:
        self.limits = limits
        self.clock = clock
        self.new_token = new_token
        self._running: dict[str, _Running] = {}
        self._answers: OrderedDict[str, tuple[float, Answered]] = OrderedDict()  # by age
        self._bytes = 0

    async def claim(self, name: str, fingerprint: bytes) -> Claim:
        """Decide at once."""
        self._forget_old()
        running = self._running.get(name)
        if running is not None:
            return Busy(name) if running.fingerprint == fingerprint else Different()
        kept = self._answers.get(name)
        if kept is not None:
            return kept[1] if kept[1].fingerprint == fingerprint else Different()
        token = self.new_token()
        self._running[name] = _Running(token, fingerprint)
        return Leading(name, token)

    async def wait(self, busy: Busy, looks: int) -> None:  # noqa: ARG002 - the port's
        """Wait until the call in progress has ended."""
        running = self._running.get(busy.name)
        if running is not None:
            await running.ended.wait()

    async def keep(self, leading: Leading, answered: Answered) -> None:
        """Store an answer at once."""
        if self._end(leading) and answered.size <= self.limits.entry_max_bytes:
            self._answers[leading.name] = (self.clock.now() + self.limits.ttl_s, answered)
            self._bytes += answered.size
            self._forget_old()

    async def give_up(self, leading: Leading) -> None:
        """Release at once."""
        self._end(leading)

    def _end(self, leading: Leading) -> bool:
        running = self._running.get(leading.name)
        if running is None or running.token != leading.token:
            return False
        del self._running[leading.name]
        running.ended.set()
        return True

    def _forget_old(self) -> None:
        now, limits = self.clock.now(), self.limits
        while self._answers:
            ends, answered = next(iter(self._answers.values()))
            crowded = len(self._answers) > limits.entries_max or self._bytes > limits.total_max_bytes
            if now < ends and not crowded:
                return
            self._answers.popitem(last=False)
            self._bytes -= answered.size
