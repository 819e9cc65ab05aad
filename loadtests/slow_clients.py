"""
What slow clients cost the others: `python -m loadtests.slow_clients`, latencies without and with them, in turns.

A third of them sends a head, a third a body, a byte at a time; a third has asked for a long stream and takes a little
of it now and then. Ordinary calls go to a mock upstream meanwhile. Gateway and mock have a core each; the load and the
slow clients are in one process on the core of the mock, so what they take from each other counts against the gateway.
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

import msgspec
import uvloop

from loadtests import client, messages
from loadtests.client import Load
from loadtests.contestants import DIRECT, Stage, gateway_argv, start
from loadtests.gateways import QUIET, config_file
from loadtests.processes import Cores, Fleet, Server, free_port, pinned, wait_for_answer
from loadtests.stats import percentile, ratio, spread

_DRIP_S: Final = 0.5
_SETTLE_MAX_S: Final = 40.0  # until streams that nobody reads have filled what lies between
_LOOK_S: Final = 0.5
_QUIET: Final = 0.1  # share of a core
_BUFFER_BYTES: Final = 4096
_SEGMENT_BYTES: Final = 1400  # as networks have it; with those of loopback a kernel buffers megabytes of each stream
_CONCURRENCY: Final = 4
_AT_ONCE: Final = 10
_HEAD: Final = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
_STREAM: Final = (
    b'{"model":"sim/words?words=10000&tokens_per_s=10000","stream":true,"messages":[{"role":"user","content":"hi"}]}'
)
_OPENINGS: Final = (
    _HEAD + b"x-slow: ",
    _HEAD + b"content-length: 100000\r\n\r\n",
    _HEAD + b"content-length: %d\r\n\r\n" % len(_STREAM) + _STREAM,
)
_READER: Final = 2  # the place of those that read


class Round(msgspec.Struct, frozen=True):
    """Latencies of ordinary calls in ms, and how many failed."""

    p50_ms: float | None
    p99_ms: float | None
    requests: int
    errors: int


class SlowClients:
    """Clients of the three kinds, a third of each; as an asynchronous context they are connected and go on slowly."""

    def __init__(self, port: int, gateway: Server, count: int) -> None:
        self._port = port
        self._gateway = gateway
        self._count = count
        self._sockets: list[tuple[int, socket.socket]] = []
        self.closed = 0  # by the gateway, while they were held

    async def __aenter__(self) -> Self:
        """Connect and send what each begins with; readers first, and the others once no stream comes any further."""
        for number in range(_READER, self._count, len(_OPENINGS)):
            self._open(number)
        for _ in range(int(_SETTLE_MAX_S / _LOOK_S)):
            before_s = self._gateway.cpu_s()
            await asyncio.sleep(_LOOK_S)
            if self._gateway.cpu_s() - before_s < _QUIET * _LOOK_S:
                break
        for number in range(self._count):
            if number % len(_OPENINGS) != _READER:
                self._open(number)
        self._dripping = asyncio.create_task(self._drip())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Leave."""
        self._dripping.cancel()
        await asyncio.wait([self._dripping])
        for _kind, each in self._sockets:
            each.close()

    def _open(self, number: int) -> None:
        kind, each = number % len(_OPENINGS), socket.socket()
        each.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, _SEGMENT_BYTES)
        each.connect(("127.0.0.1", self._port))
        each.sendall(_OPENINGS[kind])
        each.settimeout(0)
        self._sockets.append((kind, each))

    async def _drip(self) -> None:
        while True:
            for number, (kind, each) in enumerate(self._sockets):
                self._touch(kind, each)
                if number % _AT_ONCE == 0:
                    await asyncio.sleep(_DRIP_S * _AT_ONCE / self._count)

    def _touch(self, kind: int, each: socket.socket) -> None:
        try:
            if kind == _READER:
                each.recv(64)
            else:
                each.send(b"a")
        except BlockingIOError:
            return
        except OSError:
            self.closed += 1


async def measured(gateway: Server, port: int, options: argparse.Namespace) -> tuple[list[Round], list[Round], int]:
    """Return the rounds without and with slow clients, taken in turns, and how many of those were no longer held."""
    load = Load(port, "bench", _CONCURRENCY, options.seconds)
    await client.run(load)
    without, beside, closed = [], [], 0
    for _ in range(options.rounds):
        without.append(await _round(load))
        async with SlowClients(port, gateway, options.clients) as slow:
            beside.append(await _round(load))
        closed += slow.closed
    return without, beside, closed


async def _round(load: Load) -> Round:
    tally = await client.run(load)
    p50_s, p99_s = percentile(tally.latency_s, 0.5), percentile(tally.latency_s, 0.99)
    return Round(_milli(p50_s), _milli(p99_s), tally.requests, tally.errors)


def _milli(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e3


def table(without: Sequence[Round], beside: Sequence[Round]) -> str:
    """Return medians, lowest and highest round, and the median of the ratios round by round."""
    lines = []
    for name, place in (("p50", 0), ("p99", 1)):
        series = [[(each.p50_ms, each.p99_ms)[place] for each in rounds] for rounds in (without, beside)]
        shown = []
        for figures in series:
            found = spread(figures)
            shown.append("none" if found is None else f"{found.median:.2f} ({found.low:.2f}-{found.high:.2f}) ms")
        times = ratio(series[1], series[0])
        lines.append(f"{name}: {shown[0]} without, {shown[1]} beside slow clients, x {times or 0:.2f}")
    answers = [sum(each.requests for each in rounds) for rounds in (without, beside)]
    failed = sum(each.errors for each in (*without, *beside))
    lines.append(f"answers: {answers[0]} without, {answers[1]} beside slow clients; failed: {failed}")
    return "\n".join(lines)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What slow clients cost the others.")
    parser.add_argument("--clients", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0)
    options = parser.parse_args()
    cores = Cores.of_machine()
    with tempfile.TemporaryDirectory() as folder, Fleet() as fleet, pinned(cores.rest):
        mock_port, port = start(Stage(fleet, cores, Path(folder)), [DIRECT]).mock_port, free_port()
        argv = gateway_argv(config_file(Path(folder), QUIET, port, mock_port), port)
        gateway = fleet.start(argv, core=cores.tested, env={"WIZARD_PROVIDERS__SIM__KIND": "sim"})
        wait_for_answer(gateway, port, messages.chat_request("bench"))
        without, beside, closed = uvloop.run(measured(gateway, port, options))
    sys.stdout.write(f"{table(without, beside)}\nslow clients cut off within a round: {closed}\n")


if __name__ == "__main__":
    main()
