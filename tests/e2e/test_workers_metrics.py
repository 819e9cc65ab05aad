"""Metrics of a gateway with several workers: whichever of them is scraped speaks for all."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running

WORKERS = 4
TARGET = {"provider": "sim", "model": "echo"}
CHAT = "/v1/chat/completions"
USER = [{"role": "user", "content": "a b c"}]


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway with four workers."""
    config = {"providers": {"sim": {"kind": "sim", "models": ["echo"]}}}
    with running(Start(config, flags=["--workers", str(WORKERS)])) as process:
        eventually(lambda: process.metric("wizard_workers") == WORKERS, "not all workers came up")
        yield process


def ask(gateway: GatewayProcess, number: int) -> int:
    """Make one call over a connection of its own, every third one streamed, and return its status."""
    body = {"model": "sim/echo", "messages": USER, "stream": number % 3 == 0}
    with httpx2.Client(base_url=gateway.url, **LOCAL) as client:
        return client.post(CHAT, json=body).status_code


def ask_often(gateway: GatewayProcess, times: int) -> None:
    """Make calls from several clients at once."""
    with ThreadPoolExecutor(8) as clients:
        answered = list(clients.map(lambda number: ask(gateway, number), range(times)))
    assert answered == [200] * times


def counted(gateway: GatewayProcess) -> tuple[float, float, float, float]:
    """Return what one scrape says about calls, their durations, their tokens, and streams."""
    return (
        gateway.metric("wizard_requests_total", **TARGET, status="200"),
        gateway.metric("wizard_request_duration_seconds_count", **TARGET),
        gateway.metric("wizard_request_duration_seconds_bucket", **TARGET, le="+Inf"),
        gateway.metric("wizard_time_to_first_token_seconds_count", **TARGET),
    )


def workers_of(gateway: GatewayProcess) -> list[psutil.Process]:
    """Return the worker processes: the children that have the workers' directory open in their sockets."""
    children = psutil.Process(gateway.process.pid).children()
    return [child for child in children if any(found.laddr for found in child.net_connections("unix"))]


def test_the_workers_add_up_to_what_the_clients_sent(gateway: GatewayProcess) -> None:
    """Every call is counted once, whichever worker served it and whichever is scraped; scrapes change nothing."""
    before = counted(gateway)

    ask_often(gateway, 120)

    scrapes = {counted(gateway) for _ in range(12)}
    grown = {tuple(now - then for now, then in zip(scrape, before, strict=True)) for scrape in scrapes}
    assert grown == {(120, 120, 120, 40)}


def test_gauges_of_what_is_going_on_add_up_as_well(gateway: GatewayProcess) -> None:
    """Streams that are open at different workers are all active."""
    body = {
        "model": "sim/echo?tokens_per_s=20",
        "messages": [{"role": "user", "content": "word " * 200}],
        "stream": True,
    }
    clients = [httpx2.Client(base_url=gateway.url, **LOCAL) for _ in range(6)]
    opened = []
    try:
        for client in clients:
            stream = client.stream("POST", CHAT, json=body)
            opened.append((stream, stream.__enter__()))

        gateway.wait_for_metric("wizard_streams_active", 6)
    finally:
        for stream, _ in opened:
            stream.__exit__(None, None, None)
        for client in clients:
            client.close()
    gateway.wait_for_metric("wizard_streams_active", 0)


def test_cold_routes_and_the_process_are_shown_for_all_workers(gateway: GatewayProcess) -> None:
    """What others count with Prometheus's own counters is summed, too."""
    before = gateway.metric("http_requests_total", handler="/livez", status="2xx", method="GET")

    for _ in range(20):
        gateway.get("/livez")

    assert gateway.metric("http_requests_total", handler="/livez", status="2xx", method="GET") == before + 20
    assert gateway.metric("process_resident_memory_bytes") > WORKERS * 10_000_000
    assert gateway.metric("wizard_build_info") == 1


def test_totals_survive_the_death_of_a_worker(gateway: GatewayProcess) -> None:
    """What was shown once is never taken back: a worker that is killed leaves its counts behind, exactly once."""
    ask_often(gateway, 40)
    before = counted(gateway)
    victim = workers_of(gateway)[0]

    os.kill(victim.pid, signal.SIGKILL)
    during = [counted(gateway) for _ in range(20)]
    eventually(lambda: gateway.metric("wizard_workers") == WORKERS, "the dead worker was not replaced")
    ask_often(gateway, 40)
    after = counted(gateway)

    assert set(during) == {before}
    assert after[0] == before[0] + 40


def test_nothing_is_left_behind() -> None:
    """The directory of the workers goes with their parent."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}}, flags=["--workers", "2"])) as process:
        eventually(lambda: process.metric("wizard_workers") == 2, "not all workers came up")
        sockets = [found for worker in workers_of(process) for found in worker.net_connections("unix")]
        places = {Path(str(found.laddr)) for found in sockets if str(found.laddr).endswith(".sock")}

    assert len(places) == 2
    assert not [place for place in places if place.exists() or place.parent.exists()]


def test_one_worker_needs_no_directory() -> None:
    """A gateway of one process opens no socket beside its port."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as process:
        places = [found.laddr for found in psutil.Process(process.process.pid).net_connections("unix")]

        assert not [place for place in places if "wizard" in str(place)]
        assert process.metric("wizard_workers") == 1
