"""
The objectives: `python -m loadtests.slo` (two minutes), a table with pass or fail; the exit code is 1 if one is missed.

The gateway has a core of its own, the mock and the load the other. All load goes to 127.0.0.1.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import uvloop

from loadtests import client, occupancy, startup
from loadtests.client import Load
from loadtests.contestants import gateway_argv
from loadtests.objectives import failed, render
from loadtests.occupancy import Gateway
from loadtests.processes import Cores, Fleet, StartError, free_port, pinned, wait_for_answer
from loadtests.stats import percentile

Take: TypeAlias = Callable[[Gateway], Awaitable[float]]

_MS: Final = 1000.0
_SHARES: Final = (("overhead_p50_ms", 0.5), ("overhead_p95_ms", 0.95), ("overhead_p99_ms", 0.99))
CONFIG: Final = """\
server: {{host: 127.0.0.1, port: {port}}}
providers:
  mock: {{kind: openai, base_url: "http://127.0.0.1:{mock}/v1"}}
models:
  bench: {{targets: [{{provider: mock, model: mock-small}}], cache: false}}
  kept: {{targets: [{{provider: mock, model: mock-small}}]}}
cache: {{enabled: true, max_entries: 1000000, max_bytes: 1073741824}}
sessions: {{max_sessions: 100000}}
logging: {{level: warning}}
"""


_FIGURES: Final[Sequence[tuple[str, Take]]] = (
    ("client_kb", occupancy.client_kb),
    ("session_kb", occupancy.session_kb),
    ("cached_kb", occupancy.cached_kb),
    ("stream_kb", occupancy.stream_kb),
    ("session_errors", occupancy.session_errors),
    ("idle_cpu_percent", occupancy.idle_cpu_percent),
)


def measure(rounds: int, seconds: float) -> dict[str, float]:
    """
    Take all figures, those of memory each from a gateway of its own, since memory is rarely given back.

    Raises `StartError` if one does not come up.
    """
    cores = Cores.of_machine()
    with tempfile.TemporaryDirectory() as name, Fleet() as fleet, pinned(cores.rest):
        directory, mock = Path(name), free_port()
        starts = startup.measure(directory, cores, 3)
        found = {
            "start_s": statistics.median(one.first_answer_s for one in starts),
            "idle_mb": statistics.median(one.idle_mib for one in starts) * 2**20 / 1e6,
        }
        slow = free_port()
        upstream = [sys.executable, "-m", "loadtests.upstream", "--port"]
        fleet.start([*upstream, str(mock)], core=cores.rest)
        fleet.start([*upstream, str(slow), "--interval-ms", "10000"], core=cores.rest)
        for key, take in _FIGURES:
            with _gateway(directory, slow if key == "stream_kb" else mock, cores) as gateway:
                found[key] = uvloop.run(_taken(gateway, take))
        with _gateway(directory, mock, cores) as gateway:
            found.update(uvloop.run(_speed(gateway.port, mock, rounds, seconds)))
        return found


@contextmanager
def _gateway(directory: Path, mock: int, cores: Cores) -> Iterator[Gateway]:
    """Run a gateway in front of the mock."""
    port = free_port()
    config = directory / "slo.yaml"
    config.write_text(CONFIG.format(port=port, mock=mock))
    with Fleet() as fleet:
        server = fleet.start(gateway_argv(config, port), core=cores.tested)
        wait_for_answer(server, port, occupancy.warm_request())
        yield Gateway(server, port)


async def _taken(gateway: Gateway, take: Take) -> float:
    try:
        return await take(gateway)
    finally:
        await gateway.aclose()


async def _speed(port: int, mock: int, rounds: int, seconds: float) -> dict[str, float]:
    """Take what calls take, beside the same calls without a gateway, in turns."""
    added: dict[str, list[float]] = {name: [] for name, _ in _SHARES}
    first_ms: list[float] = []
    rates: list[float] = []
    errors = 0
    for _ in range(rounds):
        direct, through = [await client.run(Load(each, "bench", 4, seconds)) for each in (mock, port)]
        for name, share in _SHARES:
            added[name].append(_ms(through.latency_s, share) - _ms(direct.latency_s, share))
        direct, through = [await client.run(Load(each, "bench", 4, seconds, tokens=1)) for each in (mock, port)]
        first_ms.append(_ms(through.first_token_s, 0.5) - _ms(direct.first_token_s, 0.5))
        many = await client.run(Load(port, "bench", 32, seconds))
        rates.append(many.requests / many.elapsed_s)
        errors += many.errors + through.errors
    medians = {name: statistics.median(values) for name, values in added.items()}
    return medians | {
        "first_token_ms": statistics.median(first_ms),
        "requests_per_s": statistics.median(rates),
        "request_errors": float(errors),
    }


def _ms(values_s: Sequence[float], share: float) -> float:
    found = percentile(values_s, share)
    assert found is not None
    return found * _MS


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, and say by the exit code whether all objectives are met."""
    parser = argparse.ArgumentParser(prog="loadtests.slo", description="Measure the gateway against its objectives.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of each load")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    given = parser.parse_args(arguments)
    print(f"load average at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    try:
        measured = measure(given.rounds, given.seconds)
    except StartError as error:
        print(error, file=sys.stderr)
        return 1
    if given.json is not None:
        given.json.write_bytes(msgspec.json.format(msgspec.json.encode(measured)))
    print(render(measured))
    missed = failed(measured)
    print(f"{len(missed)} missed: {'; '.join(missed)}" if missed else "all met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
