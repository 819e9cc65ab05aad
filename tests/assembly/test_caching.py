"""The cache in the pipeline of a gateway that was built from settings."""

from __future__ import annotations

from typing import Any

import pytest

from app.assembly import call_stages
from app.config.schema import Settings
from app.core.caching.stored import Selection
from app.core.gateway import Gateway
from tests.assembly.support import Bench
from tests.stages.caching import said
from tests.support.calls import a_call, asking, text_of
from tests.support.virtual_time import VirtualClock

ON: dict[str, Any] = {"cache": {"enabled": True}, "admin": {"token": "t"}}


@pytest.fixture
def bench(clock: VirtualClock) -> Bench:
    """Return what gateways are built from."""
    return Bench(clock)


async def outcome(gateway: Gateway, bench: Bench, model: str = "sim/echo", **fields: Any) -> str | None:  # noqa: ANN401
    """Make a call, read its answer, and return what the cache did."""
    call = a_call(asking(**{"model": model, **fields}), started=bench.clock.now())
    await text_of(await gateway.handler(call))
    return call.journal.cache


def test_it_stands_behind_the_limits_and_before_the_queue(bench: Bench) -> None:
    """Switched off it is absent; switched on, what it answers needs no place in the gateway."""
    sections: dict[str, Any] = {"admission": {"max_in_flight": 5}, "limits": [{"name": "all", "requests": 9}]}

    without = [type(stage).__name__ for stage in call_stages(Settings(**sections), bench.deps)]
    stages = [type(stage).__name__ for stage in call_stages(Settings(**sections, **ON), bench.deps)]

    assert "Cache" not in without
    assert stages[-3:] == ["RateLimit", "Cache", "Admission"]


async def test_the_settings_reach_it(bench: Bench) -> None:
    """What is left out is left out: tools, a temperature, other operations, a route of its own."""
    models = {"off": {"targets": [{"provider": "sim", "model": "echo"}], "cache": False}}
    gateway = bench.gateway(cache={"enabled": True, "max_temperature": 0.5}, models=models)
    cold: dict[str, Any] = {"temperature": 0}
    tools = {**cold, "tools": [{"type": "function", "function": {"name": "f"}}]}

    found = [
        await outcome(gateway, bench),
        await outcome(gateway, bench, **cold),
        await outcome(gateway, bench, **cold),
    ]
    found += [await outcome(gateway, bench, "off", **cold), await outcome(gateway, bench, **tools)]

    assert found == ["bypass", "miss", "hit", "bypass", "bypass"]


async def test_answers_outlive_a_reload(bench: Bench) -> None:
    """A newer configuration finds what an older one stored, as long as the route leads to the same targets."""
    models: dict[str, Any] = {"fast": {"targets": [{"provider": "sim", "model": "echo"}], "fallbacks": ["sim/echo?b"]}}
    gateway = bench.gateway(**ON, models=models)
    found = [await outcome(gateway, bench, "fast")]

    found.append(await outcome(bench.gateway(**ON, models=models, retry={"max_attempts": 1}), bench, "fast"))
    models["fast"]["targets"].append({"provider": "sim", "model": "echo?a"})
    found.append(await outcome(bench.gateway(**ON, models=models), bench, "fast"))
    models["fast"]["fallbacks"] = ["fast2"]
    models["fast2"] = {"targets": [{"provider": "sim", "model": "echo?c"}], "fallbacks": ["fast"]}
    found.append(await outcome(bench.gateway(**ON, models=models), bench, "fast"))
    found += [await outcome(bench.gateway(**ON), bench, model) for model in ("sim/echo", "sim:echo")]

    assert found == ["miss", "hit", "miss", "miss", "miss", "miss"]


async def test_a_route_has_a_time_of_its_own(bench: Bench, clock: VirtualClock) -> None:
    """`cache_ttl_s` of a route goes before that of the cache."""
    models = {"fast": {"targets": [{"provider": "sim", "model": "echo"}], "cache_ttl_s": 10}}
    gateway = bench.gateway(cache={"enabled": True, "ttl_jitter": 0}, models=models)
    found = []

    for seconds in (0.0, 9.0, 2.0):
        await clock.sleep(seconds)
        found.append(await outcome(gateway, bench, "fast"))

    assert found == ["miss", "hit", "miss"]


async def test_the_administration_sees_it(bench: Bench) -> None:
    """How full it is, how well it does, and how to empty it; without a cache there is nothing to see."""
    gateway = bench.gateway(**ON)
    for _ in range(2):
        await outcome(gateway, bench)
    assert gateway.admin is not None
    assert gateway.admin.cache is not None

    view = await gateway.admin.cache.view()
    count = await gateway.admin.cache.remove(Selection())
    off = bench.gateway(admin={"token": "t"}).admin

    assert (view.store, view.tally.hits, view.tally.misses, view.shelf.entries) == ("memory", 1, 1, 1)
    assert count == 1
    assert off is not None
    assert off.cache is None


async def test_similar_questions_need_a_model(bench: Bench) -> None:
    """With one, a call whose vector cannot be had is answered all the same."""
    semantic = {"enabled": True, "model": "sim/fail"}
    gateway = bench.gateway(cache={"enabled": True, "semantic": semantic}, retry={"max_attempts": 1})

    assert await outcome(gateway, bench) == "miss"
    assert said().usage is not None
