"""What a webhook is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping

import msgspec

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from app.core.ports import HttpRequest
from app.telemetry.alerts import TRIES, WAITING_MAX, Alerts
from app.telemetry.fanout import FanOut
from tests.support.virtual_time import VirtualClock
from tests.telemetry.examples import BUDGET, EXHAUSTED, STARTED


class Answer:
    """A head and nothing else."""

    headers: Mapping[str, str] = {}

    def __init__(self, status: int) -> None:
        self.status = status

    def rest(self) -> bytes | None:
        """Say that nobody knows."""
        return None

    async def chunks(self) -> AsyncIterator[bytes]:
        """Have no body."""
        for data in list[bytes]():
            yield data

    async def aclose(self) -> None:
        """Nothing is open."""


class Ear:
    """A webhook that answers with these statuses in turn, then with 204; 0 is a connection that fails."""

    def __init__(self, *statuses: int) -> None:
        self._statuses = list(statuses)
        self.heard: list[HttpRequest] = []

    async def send(self, request: HttpRequest) -> Answer:
        """Take a request."""
        self.heard.append(request)
        status = self._statuses.pop(0) if self._statuses else 204
        if status == 0:
            raise GatewayError(TARGET_UNAVAILABLE, "no")
        if status == 1:
            await asyncio.sleep(1e6)
        return Answer(status)


async def told(clock: VirtualClock, ear: Ear, url: str | None = "http://127.0.0.1:1/hook", count: int = 1) -> Alerts:
    """Tell a webhook of a budget, and give it time."""
    alerts = Alerts(ear, clock)
    alerts.url = url
    for _ in range(count):
        alerts(BUDGET)
    async with alerts:
        await asyncio.sleep(1000.0)
    return alerts


async def test_the_body_is_the_log_line(clock: VirtualClock) -> None:
    """Its event, its fields and the time."""
    ear = Ear()

    alerts = await told(clock, ear)

    (request,) = ear.heard
    body = msgspec.json.decode(request.body)
    assert (request.method, request.url) == ("POST", "http://127.0.0.1:1/hook")
    assert body.pop("timestamp").endswith("+00:00")
    assert body == {
        "event": "budget_reached", "budget": "everyone", "share": 0.8, "spent_usd": 40.5, "limit_usd": 50.0,
    }  # fmt: skip
    assert alerts.lost == 0


async def test_a_budget_that_refuses_is_told(clock: VirtualClock) -> None:
    """A hard one hardly ever reaches its limit, so this is how its end is heard of."""
    ear = Ear()
    alerts = Alerts(ear, clock)
    alerts.url = "http://127.0.0.1:1/hook"
    FanOut([alerts])(EXHAUSTED)

    async with alerts:
        await asyncio.sleep(10.0)

    (request,) = ear.heard
    body = msgspec.json.decode(request.body)
    assert (body["event"], body["spent_usd"], body["held_usd"]) == ("budget_exhausted", 49.5, 0.25)


async def test_other_news_is_not_told(clock: VirtualClock) -> None:
    """Calls come and go by the thousand."""
    ear = Ear()
    alerts = Alerts(ear, clock)
    alerts.url = "http://127.0.0.1:1"
    FanOut([alerts])(STARTED)

    async with alerts:
        await asyncio.sleep(10.0)

    assert ear.heard == []


async def test_without_an_address_nobody_is_told(clock: VirtualClock) -> None:
    """That is the default."""
    ear = Ear()

    await told(clock, ear, url=None)

    assert ear.heard == []


async def test_it_tries_again(clock: VirtualClock) -> None:
    """A webhook may be restarting, or slow."""
    ear = Ear(0, 503)

    alerts = await told(clock, ear)

    assert (len(ear.heard), alerts.lost) == (3, 0)


async def test_what_nobody_takes_is_counted(clock: VirtualClock) -> None:
    """After a few tries, however they failed."""
    ear = Ear(*[1] * TRIES)

    alerts = await told(clock, ear)

    assert (len(ear.heard), alerts.lost) == (TRIES, 1)


async def test_too_many_are_dropped(clock: VirtualClock) -> None:
    """The queue is short, and calls never wait for it."""
    ear = Ear()

    alerts = await told(clock, ear, count=WAITING_MAX + 5)

    assert (len(ear.heard), alerts.lost) == (WAITING_MAX, 5)
