"""
What each stage adds to a call: `python -m loadtests.stage_costs`, a table.

The pipeline is composed whole, without its outermost stage, without the outermost two, and so on, from the lists that
the gateway itself is composed of, with everything switched on that decides in memory. What a stage adds to those
inside of it is the difference: counted, as `loadtests.counting` does, and timed in turns, as `loadtests.features` does.
A cache is not among them, for the same question would never come to an upstream: see `loadtests.cache`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from statistics import median
from typing import BinaryIO, Final, TypeAlias

import msgspec
import uvloop

from app.api.app import Api
from app.assembly import Deps, attempt_stages, build_gateway, call_stages
from app.assembly.attempts import reading_options
from app.assembly.catalogue import models
from app.assembly.providers import providers
from app.assembly.routing import policies, routes
from app.config.load import Loaded
from app.core.clock import Clock, SystemClock
from app.core.gateway import Gateway
from app.core.pipeline import compose
from app.core.routing.router import Router
from app.core.routing.table import RoutingTable
from app.providers.endpoint import Endpoints
from app.serving.process import settle_garbage
from app.stages.fallback import Fallback
from loadtests import messages
from loadtests.counting import Counts, StillClock, counts
from loadtests.features import FEATURES, KEY_HEADERS
from loadtests.gateways import config_file
from loadtests.own_code import CannedUpstream, cpu_us, open_app

Build: TypeAlias = Callable[[Loaded, Deps], Gateway]

WHOLE: Final = "whole call"
REST: Final = "no stage: edge, routing, codec"
_TIMES: Final = 200
_MONEY: Final = FEATURES["budget"].settings
_ALL: Final = {**_MONEY, **FEATURES["redaction"].settings, **FEATURES["admission"].settings}


class Row(msgspec.Struct, frozen=True):
    """What a stage adds: counts, and µs of CPU."""

    counts: Counts
    cpu_us: float


def without(names: Sequence[str]) -> Build:
    """Return how a gateway is built whose pipeline has no stage of the classes called so."""

    def build(loaded: Loaded, deps: Deps) -> Gateway:
        settings = loaded.settings
        inner = [each for each in attempt_stages(settings, deps) if type(each).__name__ not in names]
        outer = [each for each in call_stages(settings, deps) if type(each).__name__ not in names]
        attempt = compose(inner, Endpoints.of(providers(settings, deps), reading_options(settings), deps.clock))
        router = Router(RoutingTable(routes(settings), {}, deps.discovered), policies(settings, deps, models(settings)))
        fallback = Fallback(router, attempt, settings.fallback.triggers, deps.listener)
        return msgspec.structs.replace(build_gateway(loaded, deps), handler=compose(outer, fallback))

    return build


class Bench:
    """Opens gateways without some of their stages, all on the same canned answer."""

    def __init__(self, directory: Path, log: BinaryIO) -> None:
        self.upstream = CannedUpstream()
        self.upstream.answer_unary()
        self._config = config_file(directory, _ALL)
        self._log = log

    def names(self) -> list[str]:
        """Return the stages of the whole pipeline, outermost first."""
        found: list[str] = []

        def build(loaded: Loaded, deps: Deps) -> Gateway:
            stages = [*call_stages(loaded.settings, deps), *attempt_stages(loaded.settings, deps)]
            found.extend(dict.fromkeys(type(each).__name__ for each in stages))
            return build_gateway(loaded, deps)

        with open_app(self._config, self.upstream, self._log, build=build):
            return found

    async def counted(self, left_out: Sequence[str]) -> Counts:
        """Count a call without the stages `left_out`."""
        with self._open(left_out, StillClock()) as app:
            return await counts(app, messages.chat_request("bench"), KEY_HEADERS)

    async def timed(self, lists: Sequence[Sequence[str]], rounds: int) -> list[list[float]]:
        """Return the µs of CPU of a call without each list of stages, round by round."""
        with ExitStack() as opened:
            apps = [opened.enter_context(self._open(left_out, SystemClock())) for left_out in lists]
            settle_garbage()
            return [await self._round(apps, number) for number in range(rounds + 1)][1:]

    async def _round(self, apps: Sequence[Api], number: int) -> list[float]:
        """Ask all in turn; each round begins with another one, for the first one pays for cold caches."""
        body, turn = messages.chat_request("bench"), number % len(apps)
        took = [await cpu_us(app, body, _TIMES, KEY_HEADERS) for app in (*apps[turn:], *apps[:turn])]
        return [*took[len(apps) - turn :], *took[: len(apps) - turn]]

    def _open(self, left_out: Sequence[str], clock: Clock) -> AbstractContextManager[Api]:
        return open_app(self._config, self.upstream, self._log, clock, without(left_out))


async def measured(bench: Bench, rounds: int) -> dict[str, Row]:
    """Return what the whole call takes, what each stage adds to those inside of it, and what is no stage."""
    names = bench.names()
    lists = [names[:left_out] for left_out in range(len(names) + 1)]
    found = [await bench.counted(left_out) for left_out in lists]
    took_us = await bench.timed(lists, rounds)
    rows = {WHOLE: Row(found[0], median(each[0] for each in took_us))}
    for place, name in enumerate(names):
        added_us = median(each[place] - each[place + 1] for each in took_us)
        rows[name] = Row(found[place].less(found[place + 1]), added_us)
    return {**rows, REST: Row(found[-1], median(each[-1] for each in took_us))}


def table(rows: Mapping[str, Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = ["| | opcodes | Python calls | C calls | CPU µs |", "|---|---:|---:|---:|---:|"]
    for name, row in rows.items():
        found = row.counts
        lines.append(f"| {name} | {found.opcodes:,} | {found.calls:,} | {found.c_calls:,} | {row.cpu_us:.1f} |")
    return "\n".join([*lines, ""])


def main(arguments: Sequence[str]) -> None:
    """Measure and print the table: counts, and medians over the rounds."""
    parser = argparse.ArgumentParser(prog="loadtests.stage_costs", description="What each stage adds to a call.")
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args(arguments).rounds
    with tempfile.TemporaryDirectory() as directory, Path(os.devnull).open("wb") as log:
        found = uvloop.run(measured(Bench(Path(directory), log), rounds))
    sys.stdout.write(table(found))


if __name__ == "__main__":
    main(sys.argv[1:])
