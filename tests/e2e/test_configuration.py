"""The configuration as operators meet it while the gateway runs: shown, changed, refused, and taken over."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import redis_server

ADMIN = {"authorization": "Bearer canary-token"}
QUIET = {"WIZARD_SERVER__WATCH": "false"}


def config(name: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401 - sections
    """Return a configuration with one route."""
    return {
        "providers": {
            "sim": {"kind": "sim"},
            "box": {"kind": "openai", "api_key": "sk-canary", "base_url": "http://127.0.0.1:9"},
        },
        "models": {name: {"targets": [{"provider": "sim", "model": "echo"}]}},
        "admin": {"token": "canary-token"},
        **more,
    }


@pytest.fixture
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway that reads its file only when it is told to."""
    with running(Start(config("old"), variables=QUIET)) as process:
        yield process


def admin(gateway: GatewayProcess, method: str, path: str) -> httpx2.Response:
    """Ask the administration."""
    return httpx2.request(method, f"{gateway.url}/admin/{path}", headers=ADMIN, **LOCAL)


def test_shows_what_is_in_use(gateway: GatewayProcess) -> None:
    """Every setting with its value, where it was read and its digest; and not one secret."""
    answer = admin(gateway, "GET", "config")

    told = answer.json()
    assert told["config"]["providers"]["box"] | {"api_key": "(hidden)"} == told["config"]["providers"]["box"]
    assert told["config"]["server"]["drain_s"] == 30
    assert (told["source"], told["rejected"]) == (str(gateway.config_path), [])
    assert told["digest"] == gateway.get("/readyz").json()["config_digest"]
    assert "canary" not in answer.text


def test_a_reload_answers_with_what_is_different(gateway: GatewayProcess) -> None:
    """The administration hears what changed; readiness, metrics and a header show the new digest."""
    before = gateway.get("/readyz").json()["config_digest"]
    gateway.write_config(config("old", timeouts={"total_s": 9}, server={"port": 9}))

    answer = admin(gateway, "POST", "config/reload")

    told = answer.json()
    assert (answer.status_code, told["before"]) == (200, before)
    assert told["changes"] == [{"path": "timeouts.total_s", "before": "300", "after": "9", "restart": False}]
    ready = gateway.get("/readyz")
    assert ready.json()["config_digest"] == ready.headers["x-wizard-config"] == told["digest"] != before
    assert gateway.metric("wizard_config_info", digest=told["digest"]) == 1
    assert gateway.metric("wizard_config_info", digest=before) == 0
    assert gateway.metric("wizard_config_reloads_total", outcome="used") == 1


def test_a_bad_file_is_refused_with_every_problem(gateway: GatewayProcess) -> None:
    """What is in use stays in use, the gateway stays ready, and it is shown what is wrong until it is mended."""
    gateway.write_config({**config("new"), "server": {"prot": 80}, "timeouts": {"total_s": "soon"}})

    answer = admin(gateway, "POST", "config/reload")
    ready, shown = gateway.get("/readyz"), admin(gateway, "GET", "config").json()
    rejected = gateway.metric("wizard_config_rejected")
    gateway.write_config(config("new"))
    mended = admin(gateway, "POST", "config/reload")

    told = answer.json()
    assert (answer.status_code, told["error"]["source"]) == (422, "gateway")
    assert [problem["path"] for problem in told["problems"]] == ["server.prot", "timeouts.total_s"]
    assert all(problem["expected"] and problem["suggestion"] for problem in told["problems"])
    assert (ready.status_code, ready.json()["status"], ready.json()["rejected"]) == (200, "ready", 2)
    assert ([flaw["path"] for flaw in shown["rejected"]], rejected) == (["server.prot", "timeouts.total_s"], 1)
    assert "sk-canary" not in answer.text + gateway.stdout.text
    assert (mended.status_code, gateway.ask("new").status_code) == (200, 200)
    assert "rejected" not in gateway.get("/readyz").json()
    assert gateway.metric("wizard_config_rejected") == 0


@pytest.mark.parametrize(("method", "path"), [("GET", "config"), ("POST", "config/reload")])
def test_needs_the_token(gateway: GatewayProcess, method: str, path: str) -> None:
    """The configuration is nobody else's business."""
    answer = httpx2.request(method, f"{gateway.url}/admin/{path}", **LOCAL)

    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")


def test_a_changed_file_is_taken_over_by_itself() -> None:
    """Nobody has to say so; a bad file is reported once and changes nothing."""
    with running(Start(config("old"))) as gateway:
        gateway.write_config(config("new"))
        line = gateway.wait_for_log("config_reloaded")
        taken = gateway.ask("new").status_code, gateway.ask("old").status_code
        gateway.write_config({"nonsense": 1})
        gateway.wait_for_log("config_rejected")
        kept = gateway.ask("new").status_code
        gateway.write_config(config("new"))
        mended = gateway.wait_for_log("config_reloaded", changes=0)
        rejected = gateway.metric("wizard_config_rejected")

    assert "models.new" in line["changed"]
    assert (taken, kept) == ((200, 404), 200)
    assert (mended["before"], rejected) == (mended["now"], 0)
    assert gateway.stdout.text.count("config_rejected") == 1


def test_a_config_map_is_taken_over(tmp_path: Path) -> None:
    """Kubernetes exchanges a link beside the file; so are secrets that the file names."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(config(name)), encoding="utf-8")
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "config.yaml").symlink_to("..data/config.yaml")
    with running(Start(None, flags=("--config", str(tmp_path / "config.yaml")))) as gateway:
        (tmp_path / "..next").symlink_to("two")

        (tmp_path / "..next").replace(tmp_path / "..data")

        gateway.wait_for_log("config_reloaded")
        assert gateway.ask("two").status_code == 200


def test_replicas_are_told_by_redis() -> None:
    """One replica that is asked by the administration lets the others read their own files."""
    with redis_server() as redis:
        given = Start(config("old", redis={"url": redis.url}), variables=QUIET)
        with running(given) as one, running(given) as other:
            for each in (one, other):
                each.write_config(config("new", redis={"url": redis.url}))

            digest = admin(one, "POST", "config/reload").json()["digest"]

            eventually(lambda: other.get("/readyz").json()["config_digest"] == digest, "the other replica never looked")
            assert other.ask("new").status_code == 200


def test_a_gateway_without_providers_is_not_ready() -> None:
    """It could serve nothing, which a load balancer should know before callers do."""
    with running(Start(config("old"), variables=QUIET)) as gateway:
        gateway.write_config({"admin": {"token": "canary-token"}})
        admin(gateway, "POST", "config/reload")

        answer = gateway.get("/readyz")

    assert (answer.status_code, answer.json()["status"]) == (503, "misconfigured")
