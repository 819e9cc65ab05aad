"""Money in running gateways: what calls cost, what was used, what may be spent, with Redis and without."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest

from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import redis_server

ADMIN = {"authorization": "Bearer canary-token"}
CONFIG: dict[str, Any] = {
    "admin": {"token": "canary-token"},
    "providers": {"sim": {"kind": "sim", "models": ["echo"]}, "own": {"kind": "sim", "models": ["echo"]}},
    "models": {
        "pair": {"targets": [{"provider": "sim", "model": "echo"}, {"provider": "own", "model": "echo"}]},
        "dear": {
            "targets": [{"provider": "sim", "model": "echo?id=dear", "input_usd_per_mtok": 1, "output_usd_per_mtok": 1}]
        },
    },
    "prices": {"sim/echo": {"input": 10, "output": 20}},
    "fallback": {"triggers": ["budget"]},
}


@pytest.fixture(params=["memory", "sqlite", "redis"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """Return a configuration for each store of usage."""
    if request.param != "redis":
        yield {**CONFIG, "usage": {"store": request.param, "path": str(tmp_path / "usage.db")}}
        return
    with redis_server() as server:
        yield {**CONFIG, "redis": server.patient, "usage": {"store": "redis"}}


def ask(gateway: GatewayProcess, model: str = "sim/echo", *, stream: bool = False, **more: object) -> httpx2.Response:
    """Send a call of four tokens each way."""
    body = {"model": model, "prompt": "four tokens are here", "stream": stream, "max_tokens": 10, **more}
    return httpx2.post(f"{gateway.url}/v1/generate", json=body, **LOCAL)


def admin(gateway: GatewayProcess, path: str) -> httpx2.Response:
    """Ask the administration."""
    return httpx2.get(f"{gateway.url}/admin{path}", headers=ADMIN, **LOCAL)


def test_costs_are_told_and_reported(config: dict[str, Any]) -> None:
    """In the header of a whole answer, in the last event of a stream, in metrics and in reports, all alike."""
    with running(Start(config)) as gateway:
        whole = ask(gateway)
        streamed = ask(gateway, stream=True, stream_options={"include_usage": True})
        report = admin(gateway, "/usage?by=model,route").json()
        total = gateway.metric("wizard_cost_usd_total", provider="sim", model="echo")
        gateway.wait_for_log("request_completed", cost_usd=whole.json()["wizard"]["cost_usd"])

    usage = whole.json()["usage"]
    cost = (usage["prompt_tokens"] * 10 + usage["completion_tokens"] * 20) / 1e6
    last = msgspec.json.decode(streamed.text.split("\n\n")[-3].removeprefix("data: "))
    assert float(whole.headers["x-wizard-cost-usd"]) == pytest.approx(cost)
    assert whole.json()["wizard"]["cost_usd"] == pytest.approx(cost)
    assert last["wizard"]["cost_usd"] == pytest.approx(cost)
    (row,) = report["rows"]
    assert (row["model"], row["route"], row["attempts"], row["estimated"]) == ("echo", "sim/echo", 2, 0)
    assert row["cost_usd"] == report["total"]["cost_usd"] == pytest.approx(2 * cost)
    assert total == pytest.approx(2 * cost)


def test_a_spent_budget_refuses_or_moves_on(config: dict[str, Any]) -> None:
    """A call for one target gets the contract's refusal, a route goes on to a target that costs nothing."""
    budgets = [{"name": "sim", "per": "provider", "usd": 0.00047}]
    with running(Start({**config, "budgets": budgets})) as gateway:
        answers = [ask(gateway, stream=stream) for stream in (False, True, False)]
        moved = ask(gateway, "pair")
        (level,) = [each for each in admin(gateway, "/budgets").json()["budgets"] if each["subject"] == "sim"]
        gateway.wait_for_log("budget_reached", budget="sim", share=0.5)
        told = [gateway.metric("wizard_budget_refused_total", budget="sim")]
        told.append(gateway.metric("wizard_budget_reached_total", budget="sim", share="1"))

    refused = answers[-1]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert refused.json()["error"]["code"] == "insufficient_quota"
    assert (refused.headers["x-should-retry"], "retry-after" in refused.headers) == ("false", False)
    assert (moved.status_code, moved.headers["x-wizard-provider"], moved.headers["x-wizard-fallback"]) == (
        200,
        "own",
        "1",
    )
    assert 0.0002 < level["spent_usd"] < 0.0004
    assert told == [2, 0]  # it is spent for callers long before its limit is reached
    assert (level["limit_usd"], level["held_usd"]) == (0.00047, 0)


def test_two_gateways_spend_one_budget() -> None:
    """Shared through Redis, whoever is asked."""
    with redis_server() as server:
        config = {**CONFIG, "redis": server.patient, "budgets": [{"name": "all", "usd": 0.0006}]}
        with running(Start(config)) as one, running(Start(config)) as other:
            answers = [ask(gateway) for _ in range(6) for gateway in (one, other)]

    good = sum(answer.status_code == 200 for answer in answers)
    cost = float(answers[0].headers["x-wizard-cost-usd"])
    assert 2 <= good
    assert good * cost <= 0.0006
    assert {answer.status_code for answer in answers} == {200, 429}  # in any order: holds are settled late


def test_reports_as_csv_and_bad_questions() -> None:
    """Numbers for a spreadsheet, and refusals that name the parameter."""
    with running(Start(CONFIG)) as gateway:
        ask(gateway, "dear")
        table = admin(gateway, "/usage?by=day,provider,model&format=csv")
        wrong = [
            admin(gateway, f"/usage?{query}")
            for query in ("by=colour", "from=yesterday", "by=", "to=2026-13-01", "to=2020-01-01", "format=xml")
        ]
        outside = httpx2.get(f"{gateway.url}/admin/usage", **LOCAL)

    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert table.headers["content-type"].startswith("text/csv")
    assert [(row["provider"], row["model"], row["attempts"]) for row in rows] == [("sim", "echo?id=dear", "1")]
    assert [answer.status_code for answer in wrong] == [400] * 6
    assert [answer.json()["error"]["param"] for answer in wrong] == ["by", "from", "by", "to", "from", "format"]
    assert outside.status_code == 401


def test_reports_are_of_all_workers(config: dict[str, Any]) -> None:
    """Whichever of them is asked, and wherever the sums are kept; no call counts twice."""
    with running(Start(config, flags=["--workers", "2"])) as gateway:
        eventually(lambda: gateway.metric("wizard_workers") == 2, "not all workers came up")
        for _ in range(12):
            ask(gateway)

        def told() -> set[int]:
            return {admin(gateway, "/usage?by=provider").json()["total"]["attempts"] for _ in range(6)}

        eventually(lambda: told() == {12}, "a report misses calls")


def test_a_caller_who_leaves_is_accounted_for() -> None:
    """A stream that is left costs what was seen, and is marked as an estimate."""
    with running(Start(CONFIG)) as gateway:
        body = {"model": "sim/echo?tokens_per_s=20", "prompt": "word " * 200, "stream": True}
        with (
            httpx2.Client(**LOCAL) as client,
            client.stream("POST", f"{gateway.url}/v1/generate", json=body) as answer,
        ):
            next(answer.iter_lines())
        gateway.wait_for_log("request_failed", code="client_closed")
        report = admin(gateway, "/usage?by=provider").json()

    (row,) = report["rows"]
    assert (row["attempts"], row["estimated"]) == (1, 1)
    assert row["prompt_tokens"] > row["completion_tokens"] >= 0


@pytest.mark.parametrize(
    ("budget", "event"),
    [
        ({"usd": 0.0001, "hard": False, "warn": [0.5]}, "budget_reached"),
        ({"usd": 0.000001, "warn": [1.0]}, "budget_exhausted"),
    ],
)
def test_a_webhook_hears_of_budgets(budget: dict[str, Any], event: str) -> None:
    """Who is asked to pay should hear of it before it is over, and of the first call that is refused."""
    with running(Start(CONFIG)) as ear:
        config = {
            **CONFIG,
            "budgets": [{"name": "all", **budget}],
            "alerts": {"webhook_url": f"{ear.url}/v1/chat/completions"},
        }
        with running(Start(config)) as gateway:
            ask(gateway)
            gateway.wait_for_log(event, budget="all")
            ear.wait_for_log("request_failed", endpoint="chat", status=400)
