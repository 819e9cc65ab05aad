"""The running gateway against its own description: schemathesis asks every route what that allows, and what not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import GatewayProcess, Start, running, unmeasured_environment

TOKEN = "token-of-the-administration-0123456789"
CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim"}},
    "admin": {"token": TOKEN},
    "cache": {"enabled": True},
    "request_log": {"enabled": True},
    "streaming": {"resume": {"enabled": True}},
}
# Left out are two checks of schemas (a request may be right and still be refused, as for a model that cannot do it, and
# one that is wrong may be meant for a provider that knows more), and two of keys: this gateway is open to those without
# one, and who may ask what is for tests/api/test_roles.py and tests/e2e/test_administration.py.
CHECKS = """\
[checks]
negative_data_rejection.enabled = false
positive_data_acceptance.enabled = false
ignored_auth.enabled = false
missing_required_header.enabled = false

# They are not there without a provider that keeps files, whatever the method.
[[operations]]
include-path-regex = "^/v1/(files|batches)"
checks.unsupported_method.enabled = false

# An answer without an end; tests/e2e/test_operations.py watches it.
[[operations]]
include-path = "/admin/events"
enabled = false
"""


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway with everything that its description describes, and no provider but the simulated one."""
    with running(Start(CONFIG)) as process:
        yield process


def test_answers_are_those_that_are_described(gateway: GatewayProcess, tmp_path: Path) -> None:
    """No route answers with a server error, an undescribed status or type, or a wrong list of methods."""
    (tmp_path / "schemathesis.toml").write_text(CHECKS, encoding="utf-8")
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{gateway.url}/openapi.json",
        "--phases", "examples,coverage,fuzzing", "--generation-deterministic", "--max-examples", "8",
        "--suppress-health-check", "all", "--continue-on-failure", "--warnings", "off", "--no-color",
        "--header", f"authorization: Bearer {TOKEN}",
    ]  # fmt: skip
    told = {
        "SCHEMATHESIS_HOOKS": "tests.e2e.support.openapi_hooks",
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "GATEWAY_URL": gateway.url,
        "GATEWAY_TOKEN": TOKEN,
    }

    run = subprocess.run(
        command, cwd=tmp_path, env=unmeasured_environment(told), capture_output=True, text=True, check=False
    )

    assert run.returncode == 0, run.stdout + run.stderr
    assert gateway.metric("wizard_requests_total", status="200", provider="sim", model="echo") > 30  # not only refusals
    assert "internal" not in {line.get("code") for line in gateway.logs()}
