"""Circuits as callers and operators meet them: over HTTP, in one gateway and in two that share a Redis."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest

from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import RedisServer, redis_server

TOKEN = {"authorization": "Bearer canary-token"}
CONFIG: dict[str, Any] = {
    "providers": {"sim": {"kind": "sim", "models": ["echo"]}},
    "models": {
        "pair": {"targets": [{"provider": "sim", "model": "fail?id=pair"}, {"provider": "sim", "model": "echo"}]}
    },
    "circuit_breaker": {"failure_threshold": 3, "open_s": 3},  # some calls fit into it on a busy machine, too
    "retry": {"max_attempts": 1},
    "admin": {"token": "${WIZARD_ADMIN_TOKEN}"},
}
VARIABLES = {"WIZARD_ADMIN_TOKEN": "canary-token"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway without Redis."""
    with running(Start(CONFIG, variables=VARIABLES)) as process:
        yield process


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture(scope="module")
def pair(redis: RedisServer) -> Iterator[tuple[GatewayProcess, GatewayProcess]]:
    """Run two gateways on one Redis."""
    config = {**CONFIG, "redis": redis.patient}
    with running(Start(config, variables=VARIABLES)) as one, running(Start(config, variables=VARIABLES)) as other:
        yield one, other


def ask(gateway: GatewayProcess, model: str, **options: object) -> httpx2.Response:
    """Send one call."""
    body = {"model": model, "prompt": "hi", "options": options}
    return httpx2.post(f"{gateway.url}/v1/generate", json=body, **LOCAL)


def code(answer: httpx2.Response) -> str:
    """Return the code of a failure, or `ok`."""
    return "ok" if answer.status_code == 200 else str(answer.json()["error"]["code"])


def admin(gateway: GatewayProcess, method: str, path: str, headers: dict[str, str] = TOKEN) -> httpx2.Response:
    """Ask the administration."""
    return httpx2.request(method, f"{gateway.url}/admin{path}", headers=headers, **LOCAL)


def circuits(gateway: GatewayProcess) -> dict[str, dict[str, Any]]:
    """Return the circuits by target."""
    return {shown["target"]: shown for shown in admin(gateway, "GET", "/circuits").json()["circuits"]}


def until(happened: Callable[[], object]) -> None:
    """Wait until something is so."""
    eventually(happened, "it never happened")


def test_a_circuit_opens_probes_and_closes(gateway: GatewayProcess) -> None:
    """A target that fails three times is refused with the time to come back, and used again once it is well."""
    failing = [code(ask(gateway, "sim/echo?times=3&id=a")) for _ in range(3)]
    refused = ask(gateway, "sim/echo?times=3&id=a")
    until(lambda: code(ask(gateway, "sim/echo?times=3&id=a")) == "ok")

    assert ["target_failed"] * 3 == failing
    assert (503, "circuit_open", "circuit_breaker") == (
        refused.status_code,
        code(refused),
        refused.json()["error"]["kind"],
    )
    assert refused.headers["retry-after"] in {"1", "2", "3"}
    assert 0 < refused.json()["error"]["retry_after_s"] <= 3
    for event, reason in (("opened", "failures"), ("half_opened", "probing"), ("closed", "recovered")):
        gateway.wait_for_log(f"circuit_{event}", target_model="echo?times=3&id=a", reason=reason)


def test_an_open_circuit_moves_a_route_on(gateway: GatewayProcess) -> None:
    """With a second target nobody notices, and the first is not asked."""
    answers = [ask(gateway, "pair") for _ in range(5)]

    assert ["ok"] * 5 == [code(answer) for answer in answers]
    assert ["2", "2", "2", "1", "1"] == [answer.headers["x-wizard-attempts"] for answer in answers]
    assert gateway.metric("wizard_fallbacks_total", reason="circuit_open") == 2


def test_how_a_target_stands_can_be_scraped(gateway: GatewayProcess) -> None:
    """Time in the state, share of failures and reliability, by target; the administration has them too."""
    target = {"provider": "sim", "model": "fail?id=stand"}
    for _ in range(2):
        ask(gateway, "sim/fail?id=stand")
    half = gateway.metric("wizard_circuit_failure_ratio", **target)
    closed_s = gateway.metric("wizard_circuit_in_state_seconds", **target, state="closed")
    ask(gateway, "sim/fail?id=stand")

    until(lambda: gateway.metric("wizard_circuit_in_state_seconds", **target, state="open") > 0.1)
    shown = [row for row in admin(gateway, "GET", "/stats").json()["targets"] if row["model"] == target["model"]]
    listed = circuits(gateway)["sim/fail?id=stand"]

    assert (half, closed_s > 0) == (1.0, True)
    assert gateway.metric("wizard_target_reliability", **target) == pytest.approx(0.9**3)
    assert (shown[0]["reliability"], "circuit_failure_ratio" in shown[0]) == (0.729, False)
    assert (listed["state"], listed["failure_ratio"]) == ("open", 0.0)
    assert listed["in_state_s"] > 0.1


@pytest.mark.usefixtures("redis")
def test_shared_circuits_are_scraped_alike(pair: tuple[GatewayProcess, GatewayProcess]) -> None:
    """Failures at one replica are in the ratio that another shows, once both had calls of the target."""
    one, other = pair
    for gateway in pair:
        ask(gateway, "sim/echo?times=1&id=both")
    ask(one, "sim/echo?times=1&id=both")

    labels = {"provider": "sim", "model": "echo?times=1&id=both"}
    until(lambda: other.metric("wizard_circuit_failure_ratio", **labels) == pytest.approx(2 / 3))


def test_a_call_may_pass_by(gateway: GatewayProcess) -> None:
    """`circuit_breaker: false` asks the target whatever its circuit says."""
    admin(gateway, "POST", "/circuits/sim/echo%3Fid=by/open")

    said = [code(ask(gateway, "sim/echo?id=by")), code(ask(gateway, "sim/echo?id=by", circuit_breaker=False))]

    assert ["circuit_open", "ok"] == said


def test_an_operator_opens_closes_and_resets(gateway: GatewayProcess) -> None:
    """Names with slashes are taken as they are; a forced circuit has no time to come back."""
    opened = admin(gateway, "POST", "/circuits/sim/deep/er/model/open").json()
    listed = circuits(gateway)["sim/deep/er/model"]
    closed = admin(gateway, "POST", "/circuits/sim/deep/er/model/close").json()
    again = admin(gateway, "POST", "/circuits/sim/deep/er/model/reset").json()

    assert ("sim", "deep/er/model", "open", True, None) == tuple(
        opened[name] for name in ("provider", "model", "state", "forced", "probes_in_s")
    )
    assert (listed["state"], listed["forced"]) == ("open", True)
    assert ["closed", "closed"] == [closed["state"], again["state"]]


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "found"),
    [
        ("GET", "/circuits", {}, 401, "unauthorized"),
        ("GET", "/circuits", {"authorization": "Bearer canary-toke"}, 401, "unauthorized"),
        ("GET", "/circuits", {"authorization": "Bearer"}, 401, "unauthorized"),
        ("GET", "/circuits", {"authorization": "Basic canary-token"}, 401, "unauthorized"),
        ("GET", "/circuits", {"authorization": "Bearer t\u00f6ken"}, 401, "unauthorized"),
        ("POST", "/circuits/sim/echo/open", {}, 401, "unauthorized"),
        ("POST", "/circuits/nobody/echo/open", TOKEN, 404, "unknown_model"),
        ("POST", "/circuits/pair/open", TOKEN, 404, "unknown_model"),
        ("POST", "/circuits/sim/echo/break", TOKEN, 404, "not_found"),
        ("GET", "/nothing", TOKEN, 404, "not_found"),
    ],
)
def test_the_administration_refuses(
    gateway: GatewayProcess, method: str, path: str, headers: dict[str, str], status: int, found: str
) -> None:
    """Without the token, and for what does not exist, in the JSON of every refusal."""
    raw = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = httpx2.request(method, f"{gateway.url}/admin{path}", headers=raw, **LOCAL)

    assert (status, found) == (answer.status_code, answer.json()["error"]["code"])
    assert (answer.headers.get("www-authenticate") == "Bearer") == (status == 401)


def test_without_a_token_there_is_no_administration() -> None:
    """Not even for an empty one."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as gateway:
        answers = [admin(gateway, "GET", "/circuits", headers) for headers in ({}, {"authorization": "Bearer"}, TOKEN)]

        assert [(404, "not_found")] * 3 == [(answer.status_code, code(answer)) for answer in answers]


def test_the_token_is_never_shown(gateway: GatewayProcess) -> None:
    """Neither in answers nor in logs."""
    shown = [admin(gateway, "GET", "/circuits").text, gateway.get("/openapi.json").text, gateway.stdout.text]

    assert not [text for text in shown if "canary-token" in text]


def test_circuits_survive_a_reload() -> None:
    """A new configuration changes the numbers, not what is known of the targets."""
    with running(Start(CONFIG, variables=VARIABLES)) as gateway:
        admin(gateway, "POST", "/circuits/sim/echo/open")
        gateway.write_config({**CONFIG, "logging": {"level": "debug"}})
        gateway.process.send_signal(1)
        gateway.wait_for_log("config_reloaded")

        assert code(ask(gateway, "sim/echo")) == "circuit_open"


def test_two_gateways_share_a_circuit(pair: tuple[GatewayProcess, GatewayProcess]) -> None:
    """What one learns the other knows within a second, and each says so."""
    one, other = pair
    failing = [code(ask(one, "sim/echo?times=3&id=shared")) for _ in range(3)]

    opened = other.wait_for_log("circuit_opened", target_model="echo?times=3&id=shared")
    refused = [code(ask(gateway, "sim/echo?times=3&id=shared")) for gateway in pair]
    until(lambda: code(ask(one, "sim/echo?times=3&id=shared")) == "ok")
    closed = other.wait_for_log("circuit_closed", target_model="echo?times=3&id=shared")

    assert ["target_failed"] * 3 == failing
    assert ["circuit_open", "circuit_open"] == refused
    assert ["elsewhere", "elsewhere"] == [opened["reason"], closed["reason"]]
    decided = [
        gateway.metric("wizard_circuit_transitions_total", **{"from": "closed", "to": "open"}) for gateway in pair
    ]
    assert [1, 0] == decided


def test_an_operators_word_reaches_every_replica(pair: tuple[GatewayProcess, GatewayProcess]) -> None:
    """Whichever replica heard it."""
    one, other = pair

    admin(one, "POST", "/circuits/sim/echo%3Fid=word/open")
    until(lambda: code(ask(other, "sim/echo?id=word")) == "circuit_open")
    admin(other, "POST", "/circuits/sim/echo%3Fid=word/reset")
    until(lambda: code(ask(one, "sim/echo?id=word")) == "ok")

    assert circuits(one)["sim/echo?id=word"]["state"] == "closed"
