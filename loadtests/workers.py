"""
What a second worker is worth: `python -m loadtests.workers` (a minute), as a table.

Where the load shares two cores with the gateway, throughput cannot show it. Two things can: the CPU that a call takes
of all processes, with one worker and with two that have as much to do each, all on one core and in turns; and how
evenly the kernel hands connections to two workers that have all cores. Two cores of their own then serve as many calls
as one core does, times `cpu_one / (cpu_two * share of the busier worker)`; somewhat more, as on one core two processes
take the caches from each other.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psutil
import uvloop

from loadtests import client, occupancy
from loadtests.client import Load
from loadtests.contestants import gateway_argv
from loadtests.processes import Cores, Fleet, Server, free_port, pinned, wait_for_answer
from loadtests.slo import CONFIG
from loadtests.stats import ratio, spread

_ALIVE: Final = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n"
_CONNECTIONS: Final = (8, 32, 128)
_CONCURRENCY: Final = 32  # calls at a time for each worker
_US: Final = 1e6


@contextmanager
def _gateway(directory: Path, mock: int, workers: int, core: int | None) -> Iterator[occupancy.Gateway]:
    """Run a gateway in front of the mock."""
    port = free_port()
    config = directory / f"{workers}-{port}.yaml"
    config.write_text(CONFIG.format(port=port, mock=mock))
    with Fleet() as fleet:
        server = fleet.start([*gateway_argv(config, port), "--workers", str(workers)], core=core)
        wait_for_answer(server, port, occupancy.warm_request())
        yield occupancy.Gateway(server, port)


async def cpu_us(gateway: occupancy.Gateway, workers: int, seconds: float) -> float | None:
    """Return the CPU of a call, in µs, of all processes of a gateway; None if a call failed."""
    before_s = gateway.server.cpu_s()
    tally = await client.run(Load(gateway.port, "bench", _CONCURRENCY * workers, seconds))
    if tally.errors or not tally.requests:
        return None
    return (gateway.server.cpu_s() - before_s) / tally.requests * _US


async def busier_share(gateway: occupancy.Gateway, count: int, *, at_once: bool) -> float:
    """Return the share of connections that the busier of the workers has, opened at once or one after the other."""
    opening = [_connected(gateway.port) for _ in range(count)]
    writers = await asyncio.gather(*opening) if at_once else [await each for each in opening]
    try:
        held = _held(gateway.server, gateway.port)
        return max(held.values()) / held.total()
    finally:
        for writer in writers:
            writer.close()


async def _connected(port: int) -> asyncio.StreamWriter:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_ALIVE)
    await reader.readuntil(b"}")
    return writer


def _held(server: Server, port: int) -> Counter[int]:
    """Count the connections that each worker has."""
    held: Counter[int] = Counter()
    for worker in psutil.Process(server.process.pid).children():
        for connection in worker.net_connections("tcp"):
            held[worker.pid] += connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port == port
    return held


async def _costs(gateways: Sequence[occupancy.Gateway], rounds: int, seconds: float) -> list[list[float | None]]:
    """Return, for each gateway, what a call takes in each round."""
    taken = [[await cpu_us(each, workers, seconds) for workers, each in enumerate(gateways, 1)] for _ in range(rounds)]
    return [list(figures) for figures in zip(*taken, strict=True)]


async def _shares(gateway: occupancy.Gateway, rounds: int) -> Mapping[tuple[int, bool], list[float]]:
    """Return the busier worker's share for each number of connections, at once (True) and one by one."""
    kinds = [(count, at_once) for count in _CONNECTIONS for at_once in (True, False)]
    return {
        (count, at_once): [await busier_share(gateway, count, at_once=at_once) for _ in range(rounds)]
        for count, at_once in kinds
    }


def measure(rounds: int, seconds: float) -> Iterator[str]:
    """
    Take the figures, and yield the table line by line.

    Raises `StartError` if a gateway does not come up.
    """
    cores = Cores.of_machine()
    with tempfile.TemporaryDirectory() as name, Fleet() as fleet:
        directory, mock = Path(name), free_port()
        fleet.start([sys.executable, "-m", "loadtests.upstream", "--port", str(mock)], core=cores.rest)
        with (
            pinned(cores.rest),
            _gateway(directory, mock, 1, cores.tested) as one,
            _gateway(directory, mock, 2, cores.tested) as two,
        ):
            alone, both = uvloop.run(_costs((one, two), rounds, seconds))
        with _gateway(directory, mock, 2, None) as everywhere:
            shares = uvloop.run(_shares(everywhere, rounds))
    yield "| | median | lowest | highest |\n|---|---:|---:|---:|"
    for text, figures in (("one worker, CPU µs a call", alone), ("two workers, CPU µs a call", both)):
        yield _row(text, figures)
    for (count, at_once), parts in shares.items():
        yield _row(f"the busier worker's share of {count} connections, {'at once' if at_once else 'one by one'}", parts)
    dearer = ratio(both, alone)
    if dearer:
        busier = statistics.median(share for parts in shares.values() for share in parts)
        worth = 1 / (dearer * busier)
        yield f"\ntwo cores: {worth:.2f} times one (a call {dearer:.2f}, the busier worker {busier:.2f})"


def _row(text: str, figures: Sequence[float | None]) -> str:
    found = spread(figures)
    return (
        f"| {text} | - | - | - |"
        if found is None
        else f"| {text} | {found.median:.2f} | {found.low:.2f} | {found.high:.2f} |"
    )


def main(arguments: Sequence[str]) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="loadtests.workers", description="Measure what a second worker is worth.")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each load")
    given = parser.parse_args(arguments)
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    for line in measure(given.rounds, given.seconds):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
