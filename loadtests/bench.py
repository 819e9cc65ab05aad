"""
The paired benchmark: `python -m loadtests.bench` (about four minutes), `--quick` (under one).

All load goes to 127.0.0.1, and every loop, stream and server is bounded in time.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

import msgspec
import uvloop

from loadtests import contestants, report, rounds, startup
from loadtests.contestants import Contestant, Field, Stage
from loadtests.processes import Cores, Fleet, StartError, pinned
from loadtests.results import InProcess, Machine, Memory, Plan, Results, StreamRounds, UnaryRounds
from loadtests.rounds import StreamRound, UnaryRound

FULL: Final = Plan(
    rounds=5, seconds=1.0, starts=5, concurrency=(1, 32), streams=32, tokens=400, contestants=contestants.ALL
)
QUICK: Final = Plan(
    rounds=2, seconds=0.3, starts=1, concurrency=(32,), streams=32, tokens=60, contestants=contestants.ALL
)
_ALONE_LIMIT_S: Final = 120.0

R = TypeVar("R")


def options(arguments: Sequence[str]) -> tuple[Plan, Path | None]:
    """Read the command line: what to measure, and where the JSON goes."""
    parser = argparse.ArgumentParser(prog="loadtests.bench", description="Compare the gateway with a floor and others.")
    parser.add_argument("--quick", action="store_true", help="under a minute; rougher")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="length of a round")
    parser.add_argument("--concurrency", type=_numbers, help="for example 1,32,128")
    parser.add_argument("--streams", type=int, help="streams side by side")
    parser.add_argument("--more-bytes", type=int, metavar="N", help="how much longer than usual prompts are, about")
    parser.add_argument("--contestants", type=_names, help=f"some of: {', '.join(contestants.ALL)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    given = vars(parser.parse_args(arguments))
    quick, file = given.pop("quick"), given.pop("json")
    changes = {name: value for name, value in given.items() if value is not None}
    return msgspec.structs.replace(QUICK if quick else FULL, **changes), file


def measure(plan: Plan) -> Results:
    """Start everything, measure, stop everything."""
    cores = Cores.of_machine()
    machine = _machine(cores)
    gateway = contestants.WIZARD in plan.contestants
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        starts = startup.measure(directory, cores, plan.starts) if gateway else []
        with Fleet() as fleet, pinned(cores.rest):
            field = contestants.start(Stage(fleet, cores, directory), plan.contestants)
            idle = _resident(field)
            unary, streams, first_token = uvloop.run(_under_load(plan, field.contestants))
            loaded = _resident(field)
            adapter = _alone(["adapter", "--port", str(field.mock_port)], plan, cores) if gateway else None
    return Results(
        plan=plan,
        machine=machine,
        unary=unary,
        streams=streams,
        first_token=first_token,
        memory={name: Memory(idle[name], loaded[name]) for name in idle},
        startup=starts,
        own_code=_alone(["own_code"], plan, cores) if gateway else None,
        adapter=adapter,
    )


def _machine(cores: Cores) -> Machine:
    return Machine(
        python=platform.python_version(),
        system=platform.platform(),
        cores=os.cpu_count() or 1,
        pinned=cores.tested is not None,
        load=os.getloadavg()[0],
    )


async def _under_load(
    plan: Plan,
    field: Sequence[Contestant],
) -> tuple[Mapping[int, UnaryRounds], StreamRounds, StreamRounds]:
    streaming = [one for one in field if one.name in contestants.STREAMING]
    unary: dict[int, UnaryRounds] = {}
    for concurrency in plan.concurrency:
        _tell(f"unary, {concurrency} at a time")
        unary[concurrency] = await _interleave(plan, field, partial(_unary, plan, concurrency))
    _tell(f"{plan.streams} streams at a time")
    streams = await _interleave(plan, streaming, partial(_streams, plan, plan.streams, plan.tokens))
    _tell("time to first token")
    first_token = await _interleave(plan, streaming, partial(_streams, plan, 1, 1))
    return unary, streams, first_token


def _unary(plan: Plan, concurrency: int, one: Contestant) -> Awaitable[UnaryRound]:
    return rounds.unary(one, concurrency, plan.seconds, plan.more_bytes)


def _streams(plan: Plan, concurrency: int, tokens: int, one: Contestant) -> Awaitable[StreamRound]:
    return rounds.streams(one, concurrency, plan.seconds, tokens)


async def _interleave(
    plan: Plan,
    field: Sequence[Contestant],
    measure_one: Callable[[Contestant], Awaitable[R]],
) -> Mapping[str, Sequence[R]]:
    """Measure A B C, A B C, ... so that a slow minute of the machine hits all alike; the first turn is thrown away."""
    found: dict[str, list[R]] = {one.name: [] for one in field}
    for turn in range(plan.rounds + 1):
        for one in field:
            figures = await measure_one(one)
            if turn > 0:
                found[one.name].append(figures)
    return found


def _alone(module: Sequence[str], plan: Plan, cores: Cores) -> InProcess:
    """Run a measurement that stands by itself, in a process of its own on the tested core."""
    _tell(module[0])
    command = [sys.executable, "-m", f"loadtests.{module[0]}", *module[1:], "--rounds", str(plan.rounds)]
    with pinned(cores.tested):
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=_ALONE_LIMIT_S)  # noqa: S603
    return msgspec.json.decode(done.stdout, type=InProcess)


def _resident(field: Field) -> dict[str, float]:
    return {one.name: one.server.rss_mib() for one in field.contestants if one.server}


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def _names(text: str) -> tuple[str, ...]:
    wanted = {part.strip() for part in text.split(",")}
    unknown = wanted - set(contestants.ALL)
    if unknown:
        message = f"unknown: {', '.join(sorted(unknown))}"
        raise argparse.ArgumentTypeError(message)
    return tuple(name for name in contestants.ALL if name in wanted)


def _tell(what: str) -> None:
    sys.stderr.write(f"... {what}\n")


def main() -> None:
    """Measure, print the report, and write the JSON if asked."""
    plan, file = options(sys.argv[1:])
    try:
        results = measure(plan)
    except StartError as error:
        sys.exit(str(error))
    if file is not None:
        file.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    sys.stdout.write(report.render(results))


if __name__ == "__main__":
    main()
