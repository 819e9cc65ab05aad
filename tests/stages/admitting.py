"""An admission stage in its surroundings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import msgspec

from app.core.call import Call, CallOptions, Reply
from app.core.identity import Caller
from app.core.pipeline import Handler, compose
from app.core.signals import Signal
from app.core.traffic.admission import Bounds, Gate, Priority
from app.stages.admission import Admission, AdmissionOptions
from app.stages.timeouts import TotalTimeout
from tests.support.calls import FakeProvider, Step, a_call, asking
from tests.support.virtual_time import VirtualClock

HIGH, NORMAL, LOW = Priority


class House:
    """An admission stage over a script; `told` lists the signals."""

    def __init__(self, clock: VirtualClock, *script: Step, chance: float = 0.5, gate: Gate | None = None) -> None:
        self.clock = clock
        self.provider = FakeProvider(*script)
        self.gate = gate or Gate()
        self.chance = chance
        self.told: list[Signal] = []

    def handler(self, bounds: Bounds, *, wait_s: float = 5.0) -> Handler[Call]:
        """Compose the stage below a total timeout, as the gateway does."""
        options = AdmissionOptions(bounds, wait_s)
        stage = Admission(options, self.gate, self.clock, lambda: self.chance, self.told.append)
        return compose([TotalTimeout(), stage], self.provider)

    def call(
        self, priority: Priority = NORMAL, caller: int = 0, *, total_s: float = 300.0, stream: bool = False
    ) -> Call:
        """Return a call that begins now."""
        request, options = asking(stream=stream), CallOptions(priority=priority)
        call = a_call(request, started=self.clock.now(), total_s=total_s, options=options)
        return msgspec.structs.replace(call, caller=Caller(str(caller), str(caller)))


@asynccontextmanager
async def under_way(handler: Handler[Call], *calls: Call) -> AsyncIterator[list[asyncio.Task[Reply]]]:
    """Start calls one after the other, and cancel at the end what is left of them."""
    tasks = []
    for call in calls:
        tasks.append(asyncio.ensure_future(handler(call)))
        await asyncio.sleep(0.0)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def kinds(told: Iterable[Signal]) -> list[type[Signal]]:
    """Return what kinds of signals there were."""
    return [type(signal) for signal in told]
