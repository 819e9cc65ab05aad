"""
Server processes of the benchmark: start on one core, ask for CPU time and memory, stop all of them.

CPU time and memory are those of the whole process tree, as the operating system counts them.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from random import SystemRandom
from typing import Final, Self

import psutil

_LIFE_S: Final = 1800
"""No server outlives this, even if the benchmark is killed and can stop nothing."""

_START_S: Final = 60.0  # a second on a quiet machine; on one where a suite runs, twenty
_STOP_S: Final = 10.0
_OK: Final = 200


class StartError(Exception):
    """A server did not come up; the message says how to run it by hand."""


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the servers under test, and the core of everything else; `None` where cores cannot be chosen."""

    tested: int | None
    rest: int | None

    @classmethod
    def of_machine(cls) -> Cores:
        """Take the first two cores this process may use."""
        if not hasattr(os, "sched_getaffinity"):
            return cls(None, None)
        usable = sorted(os.sched_getaffinity(0))
        return cls(usable[1], usable[0]) if len(usable) > 1 else cls(None, None)


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    argv: Sequence[str]
    process: subprocess.Popen[bytes]

    def cpu_s(self) -> float:
        """Add up the CPU seconds, user and system, of the process tree so far (grain: one clock tick, 10 ms)."""
        times = [process.cpu_times() for process in _tree(self.process.pid)]
        return sum(time.user + time.system for time in times)

    def rss_mib(self) -> float:
        """Add up the resident memory of the process tree, in MiB."""
        return sum(process.memory_info().rss for process in _tree(self.process.pid)) / 2**20

    def stop(self) -> None:
        """End the process, politely first."""
        self.process.terminate()
        try:
            self.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class Fleet:
    """All servers of a benchmark; leaving the context stops them in reverse order."""

    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        """Start with no server."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop every server."""
        self._stack.close()

    def start(self, argv: Sequence[str], *, core: int | None, env: Mapping[str, str] | None = None) -> Server:
        """Start a server on `core`; it stops with the fleet."""
        server = launch(argv, core=core, env=env)
        self._stack.callback(server.stop)
        return server


def launch(argv: Sequence[str], *, core: int | None, env: Mapping[str, str] | None = None) -> Server:
    """Start a server on `core` with `env` added to the environment; its output goes to /dev/null."""
    with pinned(core):
        process = subprocess.Popen(  # noqa: S603 - the command is put together here, from no foreign text
            list(argv),
            env=os.environ | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # An alarm survives exec and ends the process by itself. Safe: no thread runs here besides this one.
            preexec_fn=lambda: signal.alarm(_LIFE_S),  # noqa: PLW1509
        )
    return Server(argv, process)


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Run this process, and thus the children it starts meanwhile, on one core; do nothing for `None`."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """Find a port of 127.0.0.1 on which nobody listens now, below those that the system may give to somebody else."""
    chance = SystemRandom()
    while True:
        port = chance.randrange(10_000, 15_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def wait_for_answer(
    server: Server, port: int, body: bytes, *, key: str | None = None, clock_s: float = _START_S
) -> None:
    """
    Ask for a chat completion until the server answers 200.

    Raises `StartError` if the server ends, or has not answered after `clock_s` seconds.
    """
    give_up_s = time.monotonic() + clock_s
    while time.monotonic() < give_up_s and server.process.poll() is None:
        if _answers(port, body, key):
            return
        time.sleep(0.005)
    message = f"no answer from a server (exit code {server.process.poll()}); by hand: {' '.join(server.argv)}"
    raise StartError(message)


def _answers(port: int, body: bytes, key: str | None) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=_START_S)
    try:
        headers = {"content-type": "application/json"} | ({} if key is None else {"authorization": f"Bearer {key}"})
        connection.request("POST", "/v1/chat/completions", body, headers)
        return connection.getresponse().status == _OK
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _tree(root: int) -> Iterator[psutil.Process]:
    """Walk over `root` and its descendants; nothing when `root` is gone."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(root)
        yield process
        yield from process.children(recursive=True)
