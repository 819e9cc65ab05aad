"""
Who takes part: the mock without a gateway, the floor, the gateway as `gateways.py` has it, uvicorn, the naive proxy.

All run at once, all but the mock on the tested core, so that a round of one is followed by a round of the next.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from loadtests import messages
from loadtests.gateways import BARE, EVERYTHING, QUIET, SECRET, Settings, config_file
from loadtests.processes import Cores, Fleet, Server, free_port, wait_for_answer
from tests.support.redis_server import servers

DIRECT: Final = "direct"
FLOOR: Final = "floor"
WIZARD: Final = "wizard"
WIZARD_INFO: Final = "wizard-info"
WIZARD_BARE: Final = "wizard-bare"
WIZARD_ALL: Final = "wizard-all"
WIZARD_REDIS: Final = "wizard-redis"
UVICORN: Final = "uvicorn"
NAIVE: Final = "naive"
_GATEWAYS: Final[Mapping[str, Settings]] = MappingProxyType(
    {WIZARD: QUIET, WIZARD_INFO: {}, WIZARD_BARE: BARE, WIZARD_ALL: EVERYTHING, WIZARD_REDIS: EVERYTHING}
)
ALL: Final = (DIRECT, FLOOR, *_GATEWAYS, UVICORN, NAIVE)
STREAMING: Final = tuple(name for name in ALL if name != UVICORN)


@dataclass(frozen=True, slots=True)
class Contestant:
    """
    A running server and the name under which it knows the mock's model.

    `server` is `None` for the mock itself, whose CPU time is nobody's figure. `key` is what it wants to be shown.
    """

    name: str
    port: int
    server: Server | None
    model: str = "bench"
    key: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Where contestants are started: the fleet, the cores, and a directory for their configuration."""

    fleet: Fleet
    cores: Cores
    directory: Path


@dataclass(frozen=True, slots=True)
class Field:
    """All that runs: the mock's port, and the contestants in the order of their rounds."""

    mock_port: int
    contestants: Sequence[Contestant]


def start(stage: Stage, names: Sequence[str]) -> Field:
    """
    Start the mock and the named contestants, and wait until each answers.

    Raises `StartError` for one that does not.
    """
    mock_port = free_port()
    mock = stage.fleet.start(_module("upstream", "--port", str(mock_port)), core=stage.cores.rest)
    direct = Contestant(DIRECT, mock_port, None)
    wait_for_answer(mock, mock_port, messages.chat_request(direct.model))
    others = [_start_one(stage, name, mock_port) for name in names if name != DIRECT]
    return Field(mock_port, [direct, *others] if DIRECT in names else others)


def gateway_argv(config: Path, port: int) -> list[str]:
    """Build the command line that users start the gateway with."""
    wizard = Path(sys.executable).with_name("wizard")
    return [str(wizard), "serve", "--config", str(config), "--port", str(port)]


def _start_one(stage: Stage, name: str, mock_port: int) -> Contestant:
    port = free_port()
    env = {"BENCH_UPSTREAM_URL": f"http://127.0.0.1:{mock_port}/v1"}
    server = stage.fleet.start(_argv(stage, name, port, mock_port), core=stage.cores.tested, env=env)
    key = SECRET if "keys" in _GATEWAYS.get(name, {}) else None
    contestant = Contestant(name, port, server, key=key)
    wait_for_answer(server, port, messages.chat_request(contestant.model), key=key)
    return contestant


def _argv(stage: Stage, name: str, port: int, mock_port: int) -> list[str]:
    match name:
        case "floor":
            return _module("floor", "--port", str(port), "--upstream-port", str(mock_port))
        case gateway if gateway in _GATEWAYS:
            redis = {"redis": {"url": _redis(stage), "timeout_s": 2}} if gateway == WIZARD_REDIS else {}
            return gateway_argv(config_file(stage.directory, {**_GATEWAYS[gateway], **redis}, port, mock_port), port)
        case "uvicorn":
            return [*_uvicorn(port), "--lifespan", "off", "loadtests.fixed:app"]
        case "naive":
            return [*_uvicorn(port), "--factory", "loadtests.naive:app_from_env"]
        case unknown:
            message = f"no contestant is called {unknown!r}"
            raise ValueError(message)


def _redis(stage: Stage) -> str:
    """Start a Redis on the other core, and return its URL."""
    port, (program, *_) = free_port(), servers().values()
    stage.fleet.start([str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", ""], core=stage.cores.rest)
    return f"redis://127.0.0.1:{port}/0"


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"loadtests.{name}", *arguments]


def _uvicorn(port: int) -> list[str]:
    quiet = ["--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "--port", str(port), "--loop", "uvloop", "--http", "httptools", *quiet]
