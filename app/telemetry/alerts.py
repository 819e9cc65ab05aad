"""
Posts urgent events to a webhook, outside the request path and from a bounded queue.

A POST with a JSON object: `event`, `timestamp` and the fields of the log line of the same name. One that fails is tried
again a few times; what finds no room or no ear is counted, since the log has it anyway.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

import msgspec

from app.core.background import BackgroundWork
from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.ports import HttpRequest, UpstreamClient
from app.core.signals import BudgetExhausted, BudgetReached, Listener, Signal
from app.telemetry.event_spec import fields_of
from app.telemetry.events import events

WAITING_MAX: Final = 100
TRIES: Final = 3
PAUSE_S: Final = 1.0
ANSWER_S: Final = 10.0
_GOOD: Final = range(200, 300)


class Alerts(BackgroundWork):
    """
    A listener, which sends while its context lasts; what still waits at the end is given up.

    `url` may change; None sends nothing. `lost` counts the alerts that nobody took.
    """

    def __init__(self, client: UpstreamClient, clock: Clock) -> None:
        self.url: str | None = None
        self._client = client
        self._clock = clock
        self._waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING_MAX)
        self.lost = 0

    def __call__(self, signal: Signal) -> None:
        """Queue the events of a signal."""
        if self.url is None:
            return
        at = datetime.fromtimestamp(self._clock.wall(), UTC).isoformat()
        for event in events(signal):
            try:
                self._waiting.put_nowait(msgspec.json.encode({"event": event[0], "timestamp": at, **fields_of(event)}))
            except asyncio.QueueFull:
                self.lost += 1

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Hear what an operator should know at once."""
        return (self,) if kind in {BudgetReached, BudgetExhausted} else ()

    async def _run(self) -> None:
        while True:
            body = await self._waiting.get()
            for attempt in range(TRIES):
                if await self._sent(body):
                    break
                await self._clock.sleep(PAUSE_S * 2**attempt)
            else:
                self.lost += 1

    async def _sent(self, body: bytes) -> bool:
        if self.url is None:
            return False
        request = HttpRequest("POST", self.url, (("content-type", "application/json"),), body, ANSWER_S)
        try:
            async with asyncio.timeout(ANSWER_S):
                reply = await self._client.send(request)
                try:
                    return reply.status in _GOOD
                finally:
                    await reply.aclose()
        except (GatewayError, TimeoutError):
            return False
