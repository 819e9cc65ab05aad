"""
What single features cost a call: `python -m loadtests.features`, figures as JSON.

In the manner of `loadtests.own_code`: the real application in this process, in front of an upstream client that only
holds bytes. One gateway per feature; all of them answer in turns in every round, and what a feature costs is what its
gateway took more than the one that it adds to, round by round, and then the median.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import BinaryIO, Final

import msgspec
import uvloop

from app.api.app import Api
from app.serving.process import settle_garbage
from loadtests import messages
from loadtests.gateways import BUDGETS, KEYS, LIMITS, PRICES, QUIET, SECRET, Settings, config_file
from loadtests.own_code import CannedUpstream, cpu_us, open_app
from loadtests.processes import Cores, pinned
from loadtests.yardstick import yardstick_us

_TIMES: Final = 400
KEY_HEADERS: Final = [(b"authorization", f"Bearer {SECRET}".encode())]


@dataclass(frozen=True, slots=True)
class Feature:
    """What is set, and the feature whose gateway this one is compared with; none for that of the bare gateway."""

    settings: Settings
    beyond: str | None = "bare"


_UNSEEN: Final[Settings] = {"metrics": {"enabled": False}}
_UNSAMPLED: Final[Settings] = {"tracing": {"enabled": True, "endpoint": "http://127.0.0.1:4318", "sample_ratio": 0.0}}

FEATURES: Final[Mapping[str, Feature]] = {
    "bare": Feature({}, None),
    "silent": Feature({**QUIET, **_UNSEEN}, None),
    "metrics": Feature(QUIET, "silent"),
    "log": Feature(_UNSEEN, "silent"),
    "tracing, not sampled": Feature(_UNSAMPLED),
    "key": Feature(KEYS),
    "three limits": Feature({**KEYS, **LIMITS}, "key"),
    "price": Feature({**KEYS, **LIMITS, **PRICES}, "three limits"),
    "budget": Feature({**KEYS, **LIMITS, **PRICES, **BUDGETS}, "price"),
    "key, three limits and price": Feature({**KEYS, **LIMITS, **PRICES}),
    "redaction": Feature({"redaction": {"enabled": True}}),
    "admission": Feature({"admission": {"max_in_flight": 1000}}),
}


async def _round(apps: Mapping[str, Api], upstream: CannedUpstream) -> dict[str, float]:
    upstream.answer_unary()
    body = messages.chat_request("bench")
    return {name: await cpu_us(app, body, _TIMES, KEY_HEADERS) for name, app in apps.items()}


async def measured(directory: Path, log: BinaryIO, rounds: int) -> dict[str, float]:
    """Return the µs of CPU that the bare gateway takes for a call, and what each feature adds; and the yardstick's."""
    upstream = CannedUpstream()
    with ExitStack() as opened:
        apps = {
            name: opened.enter_context(open_app(config_file(directory, feature.settings), upstream, log))
            for name, feature in FEATURES.items()
        }
        settle_garbage()  # as the gateway does: or each would pay for the objects of all
        before_us = await yardstick_us()
        found = [await _round(apps, upstream) for _ in range(rounds + 1)][1:]
        found_us = {name: round(median(_added(each, name) for each in found), 1) for name in FEATURES}
        return {**found_us, "yardstick": round((before_us + await yardstick_us()) / 2, 2)}


def _added(found: Mapping[str, float], name: str) -> float:
    beyond = FEATURES[name].beyond
    return found[name] - (found[beyond] if beyond is not None else 0.0)


def main(arguments: Sequence[str]) -> None:
    """Measure and print JSON: CPU µs of a call, medians over the rounds."""
    parser = argparse.ArgumentParser(prog="loadtests.features", description="CPU that single features add to a call.")
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args(arguments).rounds
    with (
        tempfile.TemporaryDirectory() as directory,
        Path(os.devnull).open("wb") as log,
        pinned(Cores.of_machine().tested),  # moved from core to core a call costs up to half as much again
    ):
        found = uvloop.run(measured(Path(directory), log, rounds))
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
