"""`wizard serve` as a process: it starts, obeys signals, and ends as its supervisor expects."""

from __future__ import annotations

import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import psutil

from tests.e2e.support.answers import DONE, FINISH, word
from tests.e2e.support.upstream import Upstream, listening
from tests.e2e.support.wire import connected, dechunked
from tests.support.gateway import LIMIT_S, GatewayProcess, Start, clean_environment, eventually, running, wizard

SIM = {"providers": {"sim": {"kind": "sim"}}}


def with_route(name: str) -> dict[str, Any]:
    """Return a configuration with one route."""
    return {**SIM, "models": {name: {"targets": [{"provider": "sim", "model": "echo"}]}}}


def ran(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `wizard` to its end."""
    return subprocess.run(
        wizard(*arguments),
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_bad_configuration(tmp_path: Path) -> None:
    """A wrong configuration ends the command with 2 and every problem in words, and starts nothing."""
    file = tmp_path / "bad.yaml"
    file.write_text("server: {prot: 80}\nproviders: {x: {kind: opnai}}\n", encoding="utf-8")

    done = ran("serve", "--config", str(file), folder=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "2 problems" in done.stderr
    assert "server.prot" in done.stderr
    assert "providers.x.kind" in done.stderr
    assert "Traceback" not in done.stderr


def test_port_in_use(tmp_path: Path) -> None:
    """A port that somebody else has is told with its number, in words."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])

        done = ran("serve", "--port", port, folder=tmp_path)

    assert done.returncode != 0
    assert "in use" in done.stderr.lower()
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_ends_when_told() -> None:
    """SIGTERM of a supervisor ends the gateway in good order: exit code 0, and not a word about it."""
    with running(Start(SIM)) as gateway:
        gateway.send_signal(signal.SIGTERM)
        code = gateway.wait()

    assert code == 0
    assert gateway.stderr.text == ""


def test_ends_when_interrupted() -> None:
    """Ctrl-C ends the gateway without a stack trace."""
    with running(Start(SIM)) as gateway:
        gateway.send_signal(signal.SIGINT)
        code = gateway.wait()

    assert code in {0, -signal.SIGINT, 128 + signal.SIGINT}
    assert gateway.stderr.text == ""


def test_finishes_what_it_has_begun() -> None:
    """A stream that is running when the gateway is told to end comes to its own end."""
    with listening() as upstream, running(Start(_boxed(upstream))) as gateway, connected(gateway.port) as wire:
        upstream.hold("held")
        wire.ask("box/held")
        exchange = upstream.take("held")
        exchange.begin()
        exchange.part(word("a"))
        wire.until(word("a"))

        gateway.send_signal(signal.SIGTERM)
        eventually(lambda: _is_refused(gateway), "the gateway still takes new connections")
        exchange.part(word("b") + FINISH + DONE)
        exchange.end()

        wire.until(DONE + b"\r\n0\r\n\r\n")
        gateway.wait()
    assert gateway.stderr.text == ""


def test_gives_up_what_never_ends() -> None:
    """A stream that outlasts `drain_s` is broken off, so that nobody takes it for complete."""
    with listening() as upstream:
        start = Start({**_boxed(upstream), "server": {"drain_s": 1}})
        with running(start) as gateway, connected(gateway.port) as wire:
            upstream.hold("held")
            wire.ask("box/held")
            exchange = upstream.take("held")
            exchange.begin()
            exchange.part(word("a"))
            wire.head()

            gateway.send_signal(signal.SIGTERM)

            _, ended = dechunked(wire.rest())
            assert not ended
            assert exchange.peer_left()
            gateway.wait()


def test_hangup_reloads() -> None:
    """SIGHUP reads the file again; one that has become wrong is reported and changes nothing, until it is mended."""
    with running(Start(with_route("old"))) as gateway:
        first = gateway.get("/readyz").json()["config_digest"]

        gateway.write_config(with_route("new"))
        gateway.send_signal(signal.SIGHUP)
        reloaded = gateway.wait_for_log("config_reloaded")
        second = gateway.get("/readyz").json()["config_digest"]
        statuses = gateway.ask("new").status_code, gateway.ask("old").status_code

        gateway.write_config({"models": {"fast": {"targets": []}}, "nonsense": 1})
        gateway.send_signal(signal.SIGHUP)
        rejected = gateway.wait_for_log("config_rejected")
        third = gateway.get("/readyz").json()["config_digest"]

    assert first != second
    assert {first, second} <= set(reloaded.values())
    assert statuses == (200, 404)
    assert rejected["level"] in {"warning", "error"}
    assert third == second


def test_several_workers() -> None:
    """Two workers serve, take over a changed file on a hang-up, keep what works if it is wrong, and end on SIGTERM."""
    with running(Start(with_route("old"), flags=("--workers", "2"))) as gateway:
        eventually(lambda: len(_workers(gateway)) == 2, "there are no two workers")
        first = _workers(gateway)
        served = [gateway.ask("old").status_code for _ in range(8)]

        gateway.write_config(with_route("new"))
        gateway.send_signal(signal.SIGHUP)
        eventually(lambda: gateway.stderr.text or _have_reloaded(gateway, first), "not every worker reloads")
        complaints = gateway.stderr.text
        moved = [gateway.ask("new").status_code for _ in range(8)]

        gateway.write_config({"nonsense": 1})
        gateway.send_signal(signal.SIGHUP)
        eventually(lambda: gateway.stderr.text or "config_rejected" in gateway.stdout.text, "nobody says a word")
        kept = [gateway.ask("new").status_code for _ in range(8)]

        gateway.send_signal(signal.SIGTERM)
        code = gateway.wait()

    assert complaints == ""
    assert served == moved == kept == [200] * 8
    assert code == 0
    assert "Traceback" not in gateway.stderr.text


def _boxed(upstream: Upstream) -> dict[str, Any]:
    return {"providers": {"box": {"kind": "openai", "base_url": upstream.url}}}


def _is_refused(gateway: GatewayProcess) -> bool:
    try:
        gateway.get("/livez")
    except httpx2.TransportError:
        return True
    return False


def _workers(gateway: GatewayProcess) -> set[int]:
    children = psutil.Process(gateway.process.pid).children()
    return {child.pid for child in children if any("spawn_main" in word for word in child.cmdline())}


def _have_reloaded(gateway: GatewayProcess, first: set[int]) -> bool:
    """Say whether both workers have read the file again, be it that others took their places."""
    now = _workers(gateway)
    return gateway.stdout.text.count('"config_reloaded"') == 2 or (len(now) == 2 and now.isdisjoint(first))
