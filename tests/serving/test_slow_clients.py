"""Five hundred clients that are slow in every way there is, beside ordinary ones."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.support.wire import Wire, connected, request_head
from tests.support.gateway import GatewayProcess, Start, running

COUNT = min(500, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)  # each takes a descriptor at either end
KINDS = 3
CONFIG: dict[str, Any] = {
    "server": {"head_timeout_s": 5, "body_min_bytes_per_s": 1000},
    "providers": {"sim": {"kind": "sim"}},
    "timeouts": {"total_s": 12},
    "logging": {"level": "warning"},
}
POST = {"content-type": "application/json", "content-length": "5000"}
LAST_CHUNK = b"0\r\n\r\n"
LONG = "sim/words?words=10000&tokens_per_s=10000"


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway that is patient for seconds."""
    with running(Start(CONFIG)) as process:
        yield process


def test_slow_clients_keep_nobody_waiting_and_are_cut_off(gateway: GatewayProcess) -> None:
    """Heads and bodies that do not come get a 408, streams that nobody reads end incomplete; calls go on meanwhile."""
    with contextlib.ExitStack() as held:
        clients = [held.enter_context(connected(gateway.port, 4096)) for _ in range(COUNT)]
        heads, bodies, readers = (clients[kind::KINDS] for kind in range(KINDS))
        for reader in readers:
            reader.ask(LONG)
        for body in bodies:
            body.send(request_head("POST", "/v1/chat/completions", POST) + b'{"model":')
        for head in heads:
            head.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n")
        begun = {reader.head().status for reader in readers}

        calls = [gateway.ask("sim/echo").status_code for _ in range(20)]
        gateway.wait_for_metric("wizard_streams_active", 0)
        refused = {_status(each) for each in (*heads, *bodies)}
        complete = [reader for reader in readers if reader.rest().endswith(LAST_CHUNK)]

    assert begun == {200}
    assert set(calls) == {200}
    assert refused == {408}
    assert complete == []


def _status(client: Wire) -> int:
    status = client.head().status
    client.rest()
    return status
