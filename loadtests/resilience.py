"""
What the stages of resilience cost a call while nothing goes wrong: `python -m loadtests.resilience`, figures as JSON.

In the manner of `loadtests.features`, with a gateway that has none of them to compare with: no deadline, no choice
among targets, no fallback, retry, circuit or measuring. It cannot be configured, so it is composed here. With
`--redis URL` the same once more with circuits that are shared through a Redis; its own work is not in the figures,
that of the connection to it is.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, BinaryIO, Final

import msgspec
import uvloop

from app.api.app import Api, Door
from app.api.hot import Desk
from app.assembly import Deps, attempt_stages, build_gateway, call_stages, make_deps, open_state
from app.assembly.attempts import reading_options
from app.assembly.providers import providers
from app.config.load import Loaded, Source
from app.core.call import Attempt, Call, Reply, Target
from app.core.clock import SystemClock
from app.core.gateway import Gateway
from app.core.pipeline import Handler, compose
from app.providers.endpoint import Endpoints
from app.serving.process import settle_garbage
from app.stages.admission import Admission
from app.stages.breaker import Breaker
from app.stages.bulkhead import Bulkhead
from app.stages.measure import Measure
from app.stages.retry import Retry
from app.stages.timeouts import AttemptTimeout, TotalTimeout
from app.telemetry.fanout import FanOut
from app.telemetry.logs import LogBook
from app.telemetry.metrics import Metrics
from loadtests import messages
from loadtests.gateways import config_file
from loadtests.own_code import CannedUpstream, Fixed, cpu_us
from loadtests.processes import Cores, pinned
from loadtests.yardstick import yardstick_us

_TIMES: Final = 400
_RESILIENCE: Final = (TotalTimeout, Admission, Retry, Breaker, Bulkhead, Measure, AttemptTimeout)
_ONE: Final = {"provider": "mock", "model": "mock-small"}
_TWO: Final = [_ONE, {"provider": "mock", "model": "other"}]
_NARROW: Final = [{**_ONE, "max_in_flight": 1000}]


@dataclass(frozen=True, slots=True)
class Kind:
    """What is configured beside a provider, and the kind that this one is compared with."""

    settings: Mapping[str, Any]
    beyond: str | None
    bare: bool = False


KINDS: Final[Mapping[str, Kind]] = {
    "without": Kind({}, None, bare=True),
    "usual": Kind({}, "without"),
    "bound of a target": Kind({"models": {"bench": {"targets": _NARROW}}}, "usual"),
    "admission": Kind({"admission": {"max_in_flight": 1000}}, "usual"),
    "latency, two targets": Kind({"models": {"bench": {"targets": _TWO, "strategy": "latency"}}}, "usual"),
    "hedging, two targets": Kind({"models": {"bench": {"targets": _TWO, "hedge": {"enabled": True}}}}, "usual"),
}


def without(loaded: Loaded, deps: Deps) -> Gateway:
    """Return the gateway with one target and nothing around it that could save a call."""
    settings = loaded.settings
    ends = Endpoints.of(providers(settings, deps), reading_options(settings), deps.clock)
    inner = compose([each for each in attempt_stages(settings, deps) if not isinstance(each, _RESILIENCE)], ends)
    target = Target(_ONE["provider"], _ONE["model"])

    async def only(call: Call) -> Reply:
        call.journal.target = target
        return await inner(Attempt(call, target, last=True))

    outer = [each for each in call_stages(settings, deps) if not isinstance(each, _RESILIENCE)]
    handler: Handler[Call] = compose(outer, only)
    return msgspec.structs.replace(build_gateway(loaded, deps), handler=handler)


@asynccontextmanager
async def open_app(config: Path, *, bare: bool, upstream: CannedUpstream, log: BinaryIO) -> AsyncIterator[Api]:
    """Compose the application as `app.main` does, with what `config` says about Redis."""
    clock = SystemClock()
    with closing(LogBook(log, clock)) as book:
        listener = FanOut([Metrics(), book])
        loaded = Source(config, {}, {}).read()
        deps, link = open_state(make_deps(upstream, upstream, listener), loaded.settings)
        async with link:
            gateway = without(loaded, deps) if bare else build_gateway(loaded, deps)
            door = Door(version="bench", started_wall=clock.wall(), registry=None, exposition=None)
            yield Api(Desk(Fixed(gateway), listener, clock), door, _no_lifespan)


async def measured(directory: Path, log: BinaryIO, redis: str | None, rounds: int) -> dict[str, float]:
    """Return the µs of CPU that a call takes without resilience, and what each kind adds; and the yardstick's."""
    upstream = CannedUpstream()
    upstream.answer_unary()
    kinds = {**KINDS, **({} if redis is None else _shared(redis))}
    async with AsyncExitStack() as opened:
        apps = {}
        for name, kind in kinds.items():
            config = config_file(directory, kind.settings)
            apps[name] = await opened.enter_async_context(open_app(config, bare=kind.bare, upstream=upstream, log=log))
        settle_garbage()
        before_us = await yardstick_us()
        found = [{name: await _cost_us(app) for name, app in apps.items()} for _ in range(rounds + 1)][1:]
        added = {name: [_added(each, name, kinds) for each in found] for name in kinds}
        figures = {name: round(median(values), 1) for name, values in added.items()}
        return {**figures, "yardstick": round((before_us + await yardstick_us()) / 2, 2)}


def _shared(redis: str) -> dict[str, Kind]:
    """Return what is added to the gateway without resilience where circuits are shared."""
    address = {"redis": {"url": redis, "key_prefix": "bench"}}
    return {"usual, shared through Redis": Kind(address, "without")}


async def _cost_us(app: Api) -> float:
    await asyncio.sleep(0)
    return await cpu_us(app, messages.chat_request("bench"), _TIMES)


def _added(found: Mapping[str, float], name: str, kinds: Mapping[str, Kind]) -> float:
    beyond = kinds[name].beyond
    return found[name] - (0.0 if beyond is None else found[beyond])


@asynccontextmanager
async def _no_lifespan(_app: Api) -> AsyncGenerator[None]:
    yield


def main(arguments: Sequence[str]) -> None:
    """Measure and print JSON: CPU µs of a call, medians over the rounds."""
    parser = argparse.ArgumentParser(prog="loadtests.resilience", description="CPU that resilience adds to a call.")
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--redis", metavar="URL", help="share circuits through this Redis as well")
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as directory,
        Path(os.devnull).open("wb") as log,
        pinned(Cores.of_machine().tested),  # moved from core to core a call costs up to half as much again
    ):
        found = uvloop.run(measured(Path(directory), log, given.redis, given.rounds))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
