"""
Who takes part: the mock without a gateway, the floor, the gateway twice, uvicorn alone, and the naive proxy.

All run at once, all but the mock on the tested core, so that a round of one is followed by a round of the next.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from loadtests import messages
from loadtests.processes import Cores, Fleet, Server, free_port, wait_for_answer

DIRECT: Final = "direct"
FLOOR: Final = "floor"
WIZARD: Final = "wizard"
WIZARD_INFO: Final = "wizard-info"
UVICORN: Final = "uvicorn"
NAIVE: Final = "naive"
ALL: Final = (DIRECT, FLOOR, WIZARD, WIZARD_INFO, UVICORN, NAIVE)
STREAMING: Final = (DIRECT, FLOOR, WIZARD, WIZARD_INFO, NAIVE)

_GATEWAY_CONFIG: Final = """\
server: {{host: 127.0.0.1, port: {port}}}
providers:
  mock: {{kind: openai, base_url: "http://127.0.0.1:{mock_port}/v1", api_key: null}}
models:
  bench: {{targets: [{{provider: mock, model: mock-small}}]}}
logging: {{level: {level}}}
"""


@dataclass(frozen=True, slots=True)
class Contestant:
    """
    A running server and the name under which it knows the mock's model.

    `server` is `None` for the mock itself, whose CPU time is nobody's figure.
    """

    name: str
    port: int
    server: Server | None
    model: str = "bench"


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


def gateway_config(directory: Path, port: int, mock_port: int, level: str) -> Path:
    """Write a configuration with one route, `bench`, to the mock."""
    path = directory / f"wizard-{level}-{port}.yaml"
    path.write_text(_GATEWAY_CONFIG.format(port=port, mock_port=mock_port, level=level))
    return path


def _start_one(stage: Stage, name: str, mock_port: int) -> Contestant:
    port = free_port()
    env = {"BENCH_UPSTREAM_URL": f"http://127.0.0.1:{mock_port}/v1"}
    server = stage.fleet.start(_argv(stage, name, port, mock_port), core=stage.cores.tested, env=env)
    contestant = Contestant(name, port, server)
    wait_for_answer(server, port, messages.chat_request(contestant.model))
    return contestant


def _argv(stage: Stage, name: str, port: int, mock_port: int) -> list[str]:
    match name:
        case "floor":
            return _module("floor", "--port", str(port), "--upstream-port", str(mock_port))
        case "wizard" | "wizard-info":
            level = "info" if name == WIZARD_INFO else "warning"
            return gateway_argv(gateway_config(stage.directory, port, mock_port, level), port)
        case "uvicorn":
            return [*_uvicorn(port), "--lifespan", "off", "loadtests.fixed:app"]
        case "naive":
            return [*_uvicorn(port), "--factory", "loadtests.naive:app_from_env"]
        case unknown:
            message = f"no contestant is called {unknown!r}"
            raise ValueError(message)


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", f"loadtests.{name}", *arguments]


def _uvicorn(port: int) -> list[str]:
    quiet = ["--no-access-log", "--log-level", "warning"]
    return [sys.executable, "-m", "uvicorn", "--port", str(port), "--loop", "uvloop", "--http", "httptools", *quiet]
