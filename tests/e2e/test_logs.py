"""The log of a running gateway: one form for everything, in lines of bounded length, at a level that can be changed."""

from __future__ import annotations

import re
import signal
import socket
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import configuration
from tests.e2e.support.answers import refused
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running

CHAT = "/v1/chat/completions"
USER = [{"role": "user", "content": "a b c"}]


def ask(gateway: GatewayProcess, model: str, request_id: str) -> int:
    """Make a call under an id and return its status."""
    with httpx2.Client(base_url=gateway.url, **LOCAL) as http:
        return http.post(
            CHAT, json={"model": model, "messages": USER}, headers={"x-request-id": request_id}
        ).status_code


def test_a_change_of_a_circuit_names_the_call_behind_it(upstream: Upstream) -> None:
    """Whoever sees a circuit open can look up the call whose failure was the last straw."""
    upstream.on("failing", refused(500))
    breaker = {"enabled": True, "failure_threshold": 2, "failure_ratio": 0.1, "open_s": 0.2}
    config = {**configuration(upstream), "circuit_breaker": breaker, "retry": {"max_attempts": 1}}
    with running(Start(config)) as gateway:
        for number in range(2):
            ask(gateway, "box/failing", f"straw-{number}")

        opened = gateway.wait_for_log("circuit_opened")

    assert (opened["request_id"], opened["target_model"], opened["reason"]) == ("straw-1", "failing", "failures")


def test_lines_have_a_bounded_length(upstream: Upstream) -> None:
    """Even the longest id and name that a caller can send make no line of more than 2,000 bytes."""
    with running(Start(configuration(upstream))) as gateway:
        ask(gateway, f"closed/{'m' * 5000}", "i" * 128)
        gateway.wait_for_log("request_failed", request_id="i" * 128)

        lines = [line for line in gateway.stdout.text.splitlines() if line.startswith("{")]

    assert max(len(line.encode()) for line in lines) <= 2000


@pytest.mark.parametrize("workers", [1, 2])
def test_the_level_follows_a_reload(workers: int) -> None:
    """A less severe event is kept as soon as the new level is in force, in every worker."""
    config: dict[str, Any] = {"providers": {"sim": {"kind": "sim"}}, "logging": {"level": "error"}}
    with running(Start(config, flags=["--workers", str(workers)])) as gateway:
        eventually(lambda: gateway.metric("wizard_workers") == workers, "not all workers came up")
        ask(gateway, "sim/echo", "quiet-1")

        gateway.write_config({**config, "logging": {"level": "info"}})
        gateway.send_signal(signal.SIGHUP)
        eventually(lambda: [line["event"] for line in gateway.logs()].count("config_reloaded") == workers, "no reload")
        for number in range(8):
            ask(gateway, "sim/echo", f"loud-{number}")
        eventually(lambda: len(_completed(gateway)) == 8, "not all calls were logged")

        assert _completed(gateway) == {f"loud-{number}" for number in range(8)}


def test_what_the_server_says_has_the_same_form(upstream: Upstream) -> None:
    """A request that is no HTTP makes uvicorn complain, in a line of the log like any other."""
    with running(Start(configuration(upstream))) as gateway:
        with socket.create_connection(("127.0.0.1", gateway.port), LIMIT_S) as connection:
            connection.sendall(b"\x00\x01 nonsense\r\n\r\n")
            connection.settimeout(LIMIT_S)
            while connection.recv(4096):
                pass

        line = gateway.wait_for_log("server_log")

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"])
    assert (line["level"], line["logger"]) == ("warning", "uvicorn.error")


def _completed(gateway: GatewayProcess) -> set[str]:
    return {line["request_id"] for line in gateway.logs() if line["event"] == "request_completed"}
