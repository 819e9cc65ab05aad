"""
What the cache costs and saves: `python -m loadtests.cache`, figures as JSON.

In the manner of `loadtests.own_code`: the real application in this process, in front of an upstream client that only
holds bytes. A gateway without a cache (relay), one with a cache and a new question each time (miss, with and without
coalescing), and one with the same question each time (hit) take turns in every round; whole answers, and streams of 200
tokens. The network and the upstream client, which a hit saves as well, are not in the figures.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import BinaryIO, Final

import msgspec
import uvloop

from app.api.app import Api
from loadtests import messages
from loadtests.gateways import Settings, config_file
from loadtests.own_code import CannedUpstream, Exchange, open_app, request_scope
from loadtests.processes import Cores, pinned

_TIMES: Final = 400
_STREAMS: Final = 20
_TOKENS: Final = 200
_CACHE: Final = {"cache": {"enabled": True, "max_entries": 100}}
_ALONE: Final = {"cache": {**_CACHE["cache"], "coalesce": False}}
_OTHERS: Final[Mapping[str, Settings]] = {"relay": {}, "miss": _CACHE, "miss_alone": _ALONE, "hit": _CACHE}


async def _round(apps: dict[str, Api], upstream: CannedUpstream, number: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, app in apps.items():
        same = name == "hit"
        upstream.answer_unary()
        found[name] = await _each(app, _bodies(None, _TIMES, number * _TIMES, same=same))
        upstream.answer_stream(_TOKENS)
        found[f"{name}_stream"] = await _each(app, _bodies(_TOKENS, _STREAMS, number * _STREAMS, same=same))
    return found


async def _each(app: Api, bodies: Sequence[bytes]) -> float:
    """Return the CPU µs of a call; each body is asked once, after the last one to warm up."""
    exchanges = [(request_scope(body), Exchange(body)) for body in (bodies[-1], *bodies)]
    scope, exchange = exchanges.pop(0)
    await app(scope, exchange.receive, exchange.send)
    began_s = time.process_time()
    for scope, exchange in exchanges:
        await app(scope, exchange.receive, exchange.send)
    took_s = time.process_time() - began_s
    assert all(exchange.ended for _, exchange in exchanges)
    return took_s / len(exchanges) * 1e6


def _bodies(tokens: int | None, times: int, first: int, *, same: bool) -> list[bytes]:
    """Return requests that differ from each other and from all before, or not at all."""
    plain = messages.chat_request("bench", tokens=tokens).replace(b'"role":"user"', b'"name":"n%07d","role":"user"')
    return [plain % (0 if same else first + n) for n in range(times)]


async def _measured(directory: Path, log: BinaryIO, rounds: int) -> dict[str, float]:
    upstream = CannedUpstream()
    with ExitStack() as opened:
        apps = {
            name: opened.enter_context(open_app(config_file(directory, settings), upstream, log))
            for name, settings in _OTHERS.items()
        }
        found = [await _round(apps, upstream, number) for number in range(rounds + 1)][1:]
    return {name: round(median(each[name] for each in found), 1) for name in found[0]}


def main(arguments: Sequence[str]) -> None:
    """Measure and print JSON: CPU µs of a call, medians over the rounds."""
    parser = argparse.ArgumentParser(prog="loadtests.cache", description="CPU of calls with a cache.")
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args(arguments).rounds
    with (
        tempfile.TemporaryDirectory() as directory,
        Path(os.devnull).open("wb") as log,
        pinned(Cores.of_machine().tested),  # moved from core to core a call costs up to half as much again
    ):
        found = uvloop.run(_measured(Path(directory), log, rounds))
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
