"""Admission in the pipeline of a gateway that was built from settings."""

from __future__ import annotations

import asyncio

import pytest

from app.assembly import call_stages
from app.config.schema import Settings
from app.config.sections import Admission
from app.core.errors import INVALID_REQUEST, OVERLOADED, GatewayError
from tests.assembly.support import Bench, ask
from tests.support.calls import text_of
from tests.support.virtual_time import VirtualClock


@pytest.fixture
def bench(clock: VirtualClock) -> Bench:
    """Return what gateways are built from."""
    return Bench(clock)


@pytest.mark.parametrize(("admission", "there"), [({}, False), ({"max_in_flight": 5}, True)])
def test_it_stands_after_validation_if_it_is_wanted(bench: Bench, admission: dict[str, int], there: bool) -> None:
    """Without a bound there is no stage; with one, bad requests are refused before they need a place."""
    settings = Settings(admission=Admission.model_validate(admission))

    stages = [type(stage).__name__ for stage in call_stages(settings, bench.deps)]

    assert stages == [
        "Record",
        "TotalTimeout",
        "Validate",
        "KeepTurn",
        "Idempotency",
        "Sessions",
        *(["Admission"] if there else []),
    ]


async def test_the_settings_reach_it(bench: Bench) -> None:
    """One call runs, one waits for as long as it may, and a third finds no room."""
    gateway = bench.gateway(admission={"max_in_flight": 1, "queue_max": 1, "queue_wait_s": 2})
    began = bench.clock.now()
    running, waiting = (asyncio.ensure_future(ask(gateway, "sim/echo?first_token_s=9")) for _ in range(2))
    await asyncio.sleep(0.0)

    with pytest.raises(GatewayError, match="the queue is full"):
        await ask(gateway, "sim/echo")
    with pytest.raises(GatewayError, match="could wait is over") as caught:
        await waiting
    waited_s = bench.clock.now() - began

    assert caught.value.kind is OVERLOADED
    assert waited_s == 2.0
    assert await text_of(await running) == "a b c"


async def test_a_bad_request_is_refused_in_a_full_house(bench: Bench) -> None:
    """It hears what is wrong with it, not that there is no room."""
    gateway = bench.gateway(admission={"max_in_flight": 1, "queue_max": 0}, validation={"max_prompt_chars": 5})
    running = asyncio.ensure_future(ask(gateway, "sim/echo?first_token_s=9"))
    await asyncio.sleep(0.0)

    with pytest.raises(GatewayError) as caught:
        await ask(gateway, "sim/echo", messages=[{"role": "user", "content": "too long"}])

    assert caught.value.kind is INVALID_REQUEST
    await running


async def test_a_reload_forgets_nobody(bench: Bench) -> None:
    """Calls that began with the older gateway keep their places in the eyes of the newer one."""
    admission = {"max_in_flight": 1, "queue_max": 0}
    running = asyncio.ensure_future(ask(bench.gateway(admission=admission), "sim/echo?first_token_s=9"))
    await asyncio.sleep(0.0)

    with pytest.raises(GatewayError):
        await ask(bench.gateway(admission=admission), "sim/echo")

    await running
