"""Worker processes: whoever dies, hangs or is due is replaced, and nobody who calls notices more than needs be."""

from __future__ import annotations

import asyncio
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest
import yaml

from tests.support.gateway import (
    LIMIT_S,
    LOCAL,
    GatewayProcess,
    Printed,
    Start,
    clean_environment,
    eventually,
    launched,
    running,
    unmeasured_environment,
    wizard,
)
from tests.support.planting import plant

ROOT = Path(__file__).parents[2]
SIM: dict[str, Any] = {"providers": {"sim": {"kind": "sim"}}, "admin": {"token": "t"}}
ADMIN = {"authorization": "Bearer t"}
TWO = ("--workers", "2")
NAMESPACE = (shutil.which("unshare") or "false", "--mount", "--map-root-user")


def workers(pid: int) -> set[int]:
    """Return the processes that serve."""
    found = set()
    for child in psutil.Process(pid).children():
        with suppress(psutil.NoSuchProcess):  # it may be gone in the meantime
            if any("spawn_main" in word for word in child.cmdline()):
                found.add(child.pid)
    return found


def works(pid: int) -> bool:
    """Say whether a process has not ended yet; whoever adopted one may take its time to bury it."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def route(name: str) -> dict[str, Any]:
    """Return a configuration with one route."""
    return {**SIM, "models": {name: {"targets": [{"provider": "sim", "model": "echo"}]}}}


@contextmanager
def hasty(
    tmp_path: Path, workers_count: int = 2, **variables: str
) -> Iterator[tuple[subprocess.Popen[bytes], Printed]]:
    """Run a gateway whose parent has no patience."""
    config = tmp_path / "config.yaml"
    config.write_text(yaml.safe_dump({**SIM, "server": {"workers": workers_count, "drain_s": 1}}), encoding="utf-8")
    process = subprocess.Popen(
        [sys.executable, "-c", f"from tests.serving.hasty import main; main({str(config)!r})"],
        cwd=ROOT,
        env=clean_environment(variables),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    printed = Printed(process.stdout)
    try:
        yield process, printed
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        process.wait(LIMIT_S)
        printed.close()


def test_one_that_dies_is_replaced() -> None:
    """A killed worker is missed at once, said so in the log, and another one takes its place."""
    with running(Start(SIM, flags=TWO)) as gateway:
        before = workers(gateway.process.pid)
        lost = min(before)

        os.kill(lost, signal.SIGKILL)

        line = gateway.wait_for_log("worker_replaced")
        eventually(lambda: len(workers(gateway.process.pid) - before) == 1, "there is no new worker")
        served = [gateway.ask("sim/echo").status_code for _ in range(8)]
        assert (line["pid"], line["reason"], line["exit_code"], line["level"]) == (lost, "died", -9, "error")
        assert served == [200] * 8


def test_replacements_are_counted_whoever_is_asked() -> None:
    """The parent tells the workers that it has, and those to come, so the count outlives all who heard it."""
    with running(Start(SIM, flags=TWO)) as gateway:
        first = workers(gateway.process.pid)
        counted = "wizard_workers_replaced_total"

        for number, lost in enumerate(sorted(first), start=1):
            os.kill(lost, signal.SIGKILL)
            gateway.wait_for_metric(counted, number, reason="died")
        eventually(lambda: len(workers(gateway.process.pid) - first) == 2, "there are no new workers")

        eventually(lambda: gateway.metric("wizard_workers") == 2, "they do not answer each other")
        assert [gateway.metric(counted, reason=reason) for reason in ("died", "hung", "failed")] == [2, 0, 0]


def test_one_that_hangs_is_replaced(tmp_path: Path) -> None:
    """A worker whose event loop stands still is killed, and the others go on."""
    with hasty(tmp_path) as (process, printed):
        printed.wait_for(lambda lines: "listening" in "".join(lines))
        before = workers(process.pid)
        stuck = min(before)

        os.kill(stuck, signal.SIGSTOP)

        printed.wait_for(lambda lines: "reason='hung'" in "".join(lines))
        eventually(lambda: len(workers(process.pid) - {stuck}) == 2, "there is no new worker")
        assert f"pid={stuck}" in printed.text
        assert not psutil.pid_exists(stuck)


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    """If the parent is killed, its workers end by themselves, in order."""
    with hasty(tmp_path) as (process, printed):
        printed.wait_for(lambda lines: "listening" in "".join(lines))
        orphans = workers(process.pid)

        process.kill()

        eventually(lambda: not any(map(works, orphans)), "a worker stays behind")


def test_a_worker_is_recycled_without_losing_a_call() -> None:
    """Workers that have served enough are replaced one after the other, while calls go on."""
    config = {**SIM, "server": {"recycle": {"max_requests": 40}, "drain_delay_s": 1}}
    with running(Start(config, flags=TWO, variables={"WIZARD_SERVER__DRAIN_DELAY_S": "1"})) as gateway:
        before = workers(gateway.process.pid)

        outcomes = asyncio.run(_called_until(gateway, lambda: workers(gateway.process.pid).isdisjoint(before)))

        assert set(outcomes) == {"200"}
        assert {line["reason"] for line in gateway.logs() if line["event"] == "worker_replaced"} == {"requests"}


async def _called_until(gateway: GatewayProcess, happened: Callable[[], bool]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    body = {"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}]}

    async def keep_calling(client: httpx2.AsyncClient) -> None:
        while not happened():
            try:
                answer = await client.post(f"{gateway.url}/v1/chat/completions", json=body)
                outcomes[str(answer.status_code)] += 1
            except httpx2.TransportError as error:
                outcomes[type(error).__name__] += 1

    async with httpx2.AsyncClient(**LOCAL) as client:
        await asyncio.wait_for(asyncio.gather(*(keep_calling(client) for _ in range(4))), 2 * LIMIT_S)
    return outcomes


def test_memory_has_a_cap() -> None:
    """A worker that has grown beyond its cap is replaced, also if it is the only one."""
    if not Path("/proc/self/statm").exists():
        pytest.skip("the memory of a worker is read from /proc, which only Linux has: elsewhere there is no cap")
    config = {**SIM, "server": {"recycle": {"max_bytes": 1_048_576}}}
    with running(Start(config)) as gateway:
        line = gateway.wait_for_log("worker_replaced")

        served = gateway.ask("sim/echo").status_code

        assert (line["reason"], line["level"], served) == ("memory", "info", 200)


def test_all_workers_take_over_what_one_was_asked_for() -> None:
    """`POST /admin/config/reload` reaches one worker; the others hear of it from their parent."""
    with running(Start(route("old"), flags=TWO, variables={"WIZARD_SERVER__WATCH": "false"})) as gateway:
        gateway.write_config(route("new"))

        answer = httpx2.post(f"{gateway.url}/admin/config/reload", headers=ADMIN, **LOCAL)

        digest = answer.json()["digest"]
        eventually(
            lambda: sum(line["event"] == "config_reloaded" and line["now"] == digest for line in gateway.logs()) >= 2,
            "not every worker has reloaded",
        )
        assert answer.status_code == 200
        assert {gateway.ask("new").status_code for _ in range(12)} == {200}


def test_a_new_worker_starts_although_the_file_is_bad() -> None:
    """A bad file never replaces a good configuration, not even for a worker that starts while it is bad."""
    with running(Start(route("old"), flags=TWO)) as gateway:
        before = workers(gateway.process.pid)
        gateway.write_config({"nonsense": 1})

        os.kill(min(before), signal.SIGKILL)

        eventually(lambda: len(workers(gateway.process.pid) - before) == 1, "there is no new worker")
        assert {gateway.ask("old").status_code for _ in range(12)} == {200}


def test_a_gateway_that_cannot_start_says_so(tmp_path: Path) -> None:
    """If no worker can start the parent gives up with a code, and does not try for ever."""
    broken = "def strategy(tools):\n    raise RuntimeError('not today')\n"
    plant(tmp_path, "wizard_broken", broken, "[wizard.strategies]\nbroken = wizard_broken:strategy\n")
    config = {**SIM, "models": {"r": {"targets": [{"provider": "sim", "model": "echo"}], "strategy": "broken"}}}
    with launched(Start(config, flags=TWO, variables={"PYTHONPATH": str(tmp_path)})) as gateway:
        assert gateway.process.wait(LIMIT_S) == 3


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the limits of another process")
def test_workers_open_as_many_files_as_they_may() -> None:
    """Whoever starts the gateway need not raise the limit of their shell: 1,024 files are 500 streams."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1] - 1, before[1]))
    try:
        with running(Start(SIM, flags=TWO)) as gateway:
            limits = {psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE) for pid in workers(gateway.process.pid)}
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)

    assert limits == {(before[1], before[1])}


@pytest.mark.skipif(
    subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode != 0,
    reason="nothing may be mounted here; tests/telemetry has the directory itself",
)
@pytest.mark.parametrize(("writable", "code"), [((), 2), (("/dev/shm",), 0)])  # noqa: S108 - mounted over
def test_workers_need_one_place_to_write(writable: tuple[str, ...], code: int) -> None:
    """In a container whose files are read-only, shared memory will do; without it the command says what to mount."""
    places = [place for place in ("/dev/shm", "/tmp", "/var/tmp") if place not in writable]  # noqa: S108 - mounted over
    mounts = [f"mount --rbind {place} {place} && mount -o remount,bind,ro {place}" for place in places]
    command = shlex.join(wizard("serve", "--port", "0", *TWO))
    script = " && ".join([*mounts, "cd /var/tmp", f"exec {command}"])
    environment = unmeasured_environment({"WIZARD_PROVIDERS__SIM__KIND": "sim", "PYTHONDONTWRITEBYTECODE": "1"})

    with subprocess.Popen(
        [*NAMESPACE, "sh", "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        if any("listening" in line for line in process.stdout):
            process.terminate()
        told = process.communicate(timeout=LIMIT_S)[1]

    assert process.returncode == code, told
    assert ("mount a tmpfs at /tmp" in told) is (code != 0)
    assert "Traceback" not in told


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_all_end_when_the_parent_is_told(number: signal.Signals) -> None:
    """Both signals end parent and workers in good order: exit code 0 and no trace."""
    with running(Start(SIM, flags=TWO)) as gateway:
        serving = workers(gateway.process.pid)
        gateway.send_signal(number)
        code = gateway.wait()

    assert code == 0
    assert gateway.stderr.text == ""
    assert not any(psutil.pid_exists(pid) for pid in serving)
