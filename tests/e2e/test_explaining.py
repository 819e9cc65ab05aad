"""A dry run, by the administration and by the command: the same words, and no provider hears of it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import yaml

from tests.e2e.support.upstream import LIMIT_S
from tests.support.gateway import LOCAL, GatewayProcess, Start, clean_environment, running, wizard

ADMIN = {"authorization": "Bearer canary-token"}
CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim"}, "own": {"kind": "sim"}},
    "models": {
        "fast": {
            "targets": [{"provider": "sim", "model": "echo"}, {"provider": "own", "model": "echo"}],
            "strategy": "round_robin",
        }
    },
    "admin": {"token": "canary-token"},
}
REQUEST = {"model": "fast", "prompt": "hi"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway."""
    with running(Start(CONFIG)) as process:
        yield process


def explained(gateway: GatewayProcess, body: object, **query: str) -> httpx2.Response:
    """Ask the administration what would happen to a request."""
    url = f"{gateway.url}/admin/explain"
    return httpx2.post(url, json=body, params=query, headers=ADMIN, **LOCAL)


def ran(*arguments: str, folder: Path, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run `wizard explain` to its end."""
    return subprocess.run(
        wizard("explain", *arguments),
        cwd=folder,
        env=clean_environment(),
        input=given,
        capture_output=True,
        timeout=LIMIT_S,
        check=False,
    )


def targets(told: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Return the targets in order."""
    return [target["target"] for step in told["sections"]["route"]["steps"] for target in step["targets"]]


def test_the_administration_explains(gateway: GatewayProcess) -> None:
    """The order is that of the next call, which is told again and again without taking a turn."""
    before = gateway.metric("wizard_requests_total")

    answers = [explained(gateway, REQUEST) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {200}
    assert all(targets(answer.json()) == ["sim/echo", "own/echo"] for answer in answers)
    assert answers[0].json()["refusal"] is None
    assert gateway.metric("wizard_requests_total") == before


def test_what_would_be_refused_is_no_error_of_the_question(gateway: GatewayProcess) -> None:
    """The answer to the question is 200, and says which refusal the call would get."""
    answer = explained(gateway, {"model": "fats", "prompt": "hi"})

    assert answer.status_code == 200
    assert (answer.json()["refusal"]["section"], answer.json()["refusal"]["status"]) == ("route", 404)


def test_endpoints_read_requests_in_their_own_way(gateway: GatewayProcess) -> None:
    """A body that the endpoint cannot read is refused as the endpoint would; an unknown endpoint is named."""
    chat = explained(gateway, REQUEST, endpoint="/v1/chat/completions")
    nowhere = explained(gateway, REQUEST, endpoint="/v1/nonsense")

    assert (chat.status_code, nowhere.status_code) == (400, 400)
    assert nowhere.json()["error"]["param"] == "endpoint"


def test_it_needs_the_token(gateway: GatewayProcess) -> None:
    """What a gateway would do is not for everybody."""
    answer = httpx2.post(f"{gateway.url}/admin/explain", json=REQUEST, **LOCAL)

    assert answer.status_code == 401


def test_the_command_says_the_same(gateway: GatewayProcess, tmp_path: Path) -> None:
    """From a file with a configuration, from standard input, and from a gateway that is running."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")
    (tmp_path / "request.json").write_bytes(msgspec.json.encode(REQUEST))
    remote = ("--url", gateway.url, "--token", "canary-token")

    offline = ran("request.json", "--json", folder=tmp_path)
    piped = ran("-", "--json", folder=tmp_path, given=msgspec.json.encode(REQUEST))
    live = ran("request.json", *remote, "--json", folder=tmp_path)
    shown = ran("request.json", folder=tmp_path)

    assert [done.returncode for done in (offline, piped, live, shown)] == [0, 0, 0, 0]
    told = msgspec.json.decode(offline.stdout)
    assert told == msgspec.json.decode(piped.stdout) == msgspec.json.decode(live.stdout)
    assert targets(told) == ["sim/echo", "own/echo"]
    assert b"0. sim/echo" in shown.stdout
    assert b"round_robin" in shown.stdout


def test_the_command_says_what_would_be_refused(tmp_path: Path) -> None:
    """With exit code 1, and where in the pipeline."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(CONFIG), encoding="utf-8")

    refused = ran("-", folder=tmp_path, given=b'{"model": "fats", "prompt": "hi"}')
    unread = ran("-", folder=tmp_path, given=b'{"model": ')
    absent = ran("nothing.json", folder=tmp_path)
    nowhere = ran("-", "--endpoint", "/v1/nonsense", folder=tmp_path, given=b"{}")

    assert [done.returncode for done in (refused, unread, absent, nowhere)] == [1, 1, 1, 2]
    assert b"refused by route: 404 unknown_model" in refused.stdout
    assert b"nothing.json" in absent.stderr
    assert b"/v1/generate" in nowhere.stderr
    assert b"Traceback" not in unread.stderr + absent.stderr


CACHED: dict[str, Any] = {
    **CONFIG,
    "models": {**CONFIG["models"], "told": {**CONFIG["models"]["fast"], "system": {"prompt": "Be brief."}}},
    "cache": {"enabled": True},
    "redaction": {"enabled": True},
    "guards": {"tripwire": {"policy": "observe"}},
}


@pytest.fixture(scope="module")
def cached() -> Iterator[GatewayProcess]:
    """Run a gateway that stores answers, and changes prompts before it looks for them."""
    with running(Start(CACHED)) as process:
        yield process


@pytest.mark.parametrize("model", ["fast", "told", "sim/echo", "sim:echo"])
@pytest.mark.parametrize("prompt", ["hi", "Write to eve@example.com."])
def test_the_key_is_that_of_the_call(cached: GatewayProcess, model: str, prompt: str) -> None:
    """Also where the redaction, the route or a guard changes what is asked before the cache sees it."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    path = "/v1/chat/completions"

    told = explained(cached, body, endpoint=path).json()["sections"]["cache"]
    real = httpx2.post(
        f"{cached.url}{path}", json=body, headers={"x-wizard-debug": "1"}, trust_env=False, timeout=LIMIT_S
    )

    assert told == {"key": real.headers["x-wizard-cache-key"], "reads": True, "stores": True}


@pytest.mark.parametrize(
    ("extra", "reads", "stores"),
    [
        ({"options": {"caching": False}}, False, False),
        ({"n": 2}, False, False),
        ({"options": {"cache_ttl_s": 0}}, True, False),
    ],
)
def test_what_a_call_wants_of_the_cache(
    cached: GatewayProcess, extra: dict[str, object], reads: bool, stores: bool
) -> None:
    """A call without a part in it has no key; where there is no cache there is no section."""
    told = explained(cached, {**REQUEST, **extra}).json()["sections"]["cache"]

    assert (told["reads"], told["stores"], told["key"] is not None) == (reads, stores, reads)


def test_a_session_has_no_key_beforehand(cached: GatewayProcess, gateway: GatewayProcess) -> None:
    """What was said before is part of the question, and is read when the call begins."""
    session = httpx2.post(f"{cached.url}/v1/sessions", json={}, trust_env=False, timeout=LIMIT_S).json()["id"]

    told = explained(cached, {**REQUEST, "session_id": session}).json()["sections"]

    assert told["cache"]["key"] is None
    assert "cache" not in explained(gateway, REQUEST).json()["sections"]
