"""A port for operators alone, with one process and with several."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.e2e.support.asking import ADMIN_TOKEN, bearer
from tests.support.gateway import LOCAL, GatewayProcess, Start, clean_environment, running, wizard

CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim", "models": ["echo"]}},
    "admin": {"token": ADMIN_TOKEN, "port": 0},
}
INSIDE = ("/admin", "/admin/circuits", "/admin/nowhere", "/metrics")


@pytest.fixture(scope="module", params=[1, 2], ids=["alone", "workers"])
def gateway(request: pytest.FixtureRequest) -> Iterator[GatewayProcess]:
    """Run a gateway whose administration has a port of its own."""
    with running(Start({**CONFIG, "server": {"workers": request.param}})) as process:
        yield process


def operators(gateway: GatewayProcess) -> httpx2.Client:
    """Return a client of the other port, of whose connections each may be another worker's."""
    found: re.Match[str] = gateway.stdout.wait_for(lambda lines: re.search(r"admin   (\S+)/admin\n", "".join(lines)))
    bare = httpx2.Limits(max_keepalive_connections=0)
    return httpx2.Client(base_url=found[1], **LOCAL, limits=bare)


@pytest.mark.parametrize("path", INSIDE)
def test_callers_find_nothing_of_it(gateway: GatewayProcess, path: str) -> None:
    """On their port every address of it is one that is not there, with the token too, for whatever host is named."""
    headers = {**bearer(ADMIN_TOKEN), "host": str(operators(gateway).base_url.netloc.decode())}

    answers = [httpx2.get(gateway.url + path, headers=headers, **LOCAL) for _ in range(4)]

    assert {(answer.status_code, answer.json()["error"]["code"]) for answer in answers} == {(404, "not_found")}


def test_operators_find_all_of_it(gateway: GatewayProcess) -> None:
    """On theirs there is everything, still behind the token; what the workers count is one."""
    with operators(gateway) as at:
        refused = [at.get("/admin/circuits").status_code for _ in range(4)]
        admitted = [at.get("/admin/circuits", headers=bearer(ADMIN_TOKEN)).status_code for _ in range(4)]
        asked = {"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}]}
        spoken = [at.post("/v1/chat/completions", json=asked).status_code, gateway.ask("sim/echo").status_code]
        counted = at.get("/metrics").text
        health = at.get("/readyz").status_code

    assert (refused, admitted, spoken, health) == ([401] * 4, [200] * 4, [200, 200], 200)
    assert 'wizard_requests_total{model="echo",provider="sim",status="200"} 2' in counted


@pytest.mark.parametrize("workers", [1, 2])
def test_it_ends_with_the_other(workers: int) -> None:
    """Nothing listens there any more once the gateway is gone."""
    with running(Start({**CONFIG, "server": {"workers": workers}})) as another, operators(another) as at:
        assert at.get("/readyz").status_code == 200

        code = another.stop()

        assert code == 0
        with pytest.raises(httpx2.ConnectError):
            at.get("/readyz")


def test_the_command_asks_there(gateway: GatewayProcess) -> None:
    """`wizard circuits` with the configuration of a gateway finds its administration by itself."""
    with operators(gateway) as at:
        port = str(at.base_url.port)
    settings = {"WIZARD_ADMIN__PORT": port, "WIZARD_SERVER__PORT": str(gateway.port)}

    asked = subprocess.run(
        wizard("circuits", "--json", "--config", str(gateway.config_path)),
        env=clean_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (asked.returncode, asked.stderr) == (0, "")
