"""Strategies, capabilities and bounds of a running gateway, streamed and not."""

from __future__ import annotations

import os
import signal
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.support.answers import DONE, FINISH, WHOLE, refused, whole, word
from tests.e2e.support.upstream import Exchange, Upstream
from tests.support.gateway import LOCAL, GatewayProcess, Start, clean_environment, eventually, running, wizard
from tests.support.planting import plant

CHAT = "/v1/chat/completions"
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
TOOLS = [{"type": "function", "function": {"name": "f"}}]


def sim(script: str, **more: object) -> dict[str, object]:
    """Return a target that plays a script."""
    return {"provider": "sim", "model": script, **more}


def box(model: str, **more: object) -> dict[str, object]:
    """Return a target at the scripted provider."""
    return {"provider": "box", "model": model, **more}


def configuration(upstream: Upstream) -> dict[str, Any]:
    """Return a route for each strategy and bound."""
    return {
        "providers": {
            "sim": {"kind": "sim"},
            "box": {"kind": "openai", "base_url": upstream.url},
            "narrow": {"kind": "openai", "base_url": upstream.url, "max_in_flight": 1},
            "closed": {"kind": "openai", "base_url": "http://127.0.0.1:1/v1"},
        },
        "models": {
            "weighted": {
                "strategy": "weighted",
                "targets": [sim("echo?id=heavy", weight=9), sim("echo?id=light", weight=1)],
            },
            "turns": {"strategy": "round_robin", "targets": [sim(f"echo?id={name}") for name in "abc"]},
            "turns-streamed": {"strategy": "round_robin", "targets": [sim(f"echo?id={name}") for name in "abc"]},
            "busy": {"strategy": "least_busy", "targets": [box("held-1"), box("held-2")]},
            "quick": {"strategy": "latency", "targets": [sim("echo?first_token_s=1"), sim("echo?id=quick")]},
            "quick-streamed": {
                "strategy": "latency",
                "targets": [sim("echo?first_token_s=1&id=s"), sim("echo?id=qs")],
            },
            "cheap": {
                "strategy": "cost",
                "targets": [
                    sim("echo?id=dear", input_usd_per_mtok=3, output_usd_per_mtok=15),
                    sim("fail?id=cheapest", input_usd_per_mtok=0, output_usd_per_mtok=0),
                    sim("echo?id=fair", input_usd_per_mtok=0.15, output_usd_per_mtok=0.6),
                ],
            },
            "cheap-elsewhere": {
                "strategy": "cost",
                "targets": [box("unpriced"), {"provider": "closed", "model": "gpt-4o"}, box("priced")],
            },
            "able": {
                "targets": [
                    sim("echo?id=plain", capabilities=[], context_window=100),
                    sim("echo?id=able", capabilities=["tools"]),
                ]
            },
            "full": {"targets": [box("held-1", max_in_flight=1)], "fallbacks": ["sim/echo?id=spare"]},
            "useful": {"targets": [box("limited"), {"provider": "closed", "model": "any"}]},
        },
        "retry": {"max_attempts": 1},
        "prices": {"box/priced": {"input": 0.2, "output": 0.7}},
    }


@pytest.fixture(scope="module")
def balanced(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with all of these routes."""
    with running(Start(configuration(upstream))) as process:
        yield process


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    """Ask from several threads."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def ask(gateway: GatewayProcess, model: str, **fields: object) -> httpx2.Response:
    """Send a chat request and read its answer."""
    body = {"model": model, "messages": [{"role": "user", "content": "hi"}], **fields}
    return httpx2.post(gateway.url + CHAT, json=body, **LOCAL)


def asked(gateway: GatewayProcess, model: str, **fields: object) -> str:
    """Return the script of the target that answered."""
    answer = ask(gateway, model, **fields)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-wizard-model"].removeprefix("echo?id=")


def until_received(upstream: Upstream, count: int) -> None:
    """Wait until so many requests are held."""
    eventually(
        lambda: len(upstream.received("held-1")) + len(upstream.received("held-2")) >= count,
        f"{count} requests never came",
    )


def finish(exchange: Exchange, *, stream: bool) -> None:
    """Answer a held request."""
    if not stream:
        exchange.answer(WHOLE)
        return
    exchange.begin()
    for part in (word("a"), FINISH, DONE):
        exchange.part(part)
    exchange.end()


@both_ways
def test_weights_share_the_traffic(balanced: GatewayProcess, stream: bool) -> None:
    """The heavier target gets most calls, the lighter one some of its share or none, but never most."""
    found = Counter(asked(balanced, "weighted", stream=stream) for _ in range(40))

    assert found["heavy"] > 2 * found["light"]


@pytest.mark.parametrize(("route", "stream"), [("turns", False), ("turns-streamed", True)])
def test_turns_are_taken(balanced: GatewayProcess, route: str, stream: bool) -> None:
    """Each target answers in its turn, as the first one that was tried."""
    found = [asked(balanced, route, stream=stream) for _ in range(6)]

    assert found == [*"abcabc"]


@both_ways
def test_the_less_busy_is_asked(
    balanced: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor, stream: bool
) -> None:
    """A call under way, its stream included, sends the next one to the other target; an ended one counts no more."""
    for model in ("held-1", "held-2"):
        upstream.hold(model)
    answers: list[Future[httpx2.Response]] = []

    for count in (1, 2):
        answers.append(crowd.submit(ask, balanced, "busy", stream=stream))
        until_received(upstream, count)
    for model in ("held-1", "held-2"):
        finish(upstream.take(model), stream=stream)

    assert {answer.result().headers["x-wizard-model"] for answer in answers} == {"held-1", "held-2"}


@pytest.mark.parametrize(("route", "stream"), [("quick", False), ("quick-streamed", True)])
def test_the_faster_is_preferred(balanced: GatewayProcess, route: str, stream: bool) -> None:
    """After a call to each of them all others go to the faster target."""
    found = Counter(asked(balanced, route, stream=stream) for _ in range(10))

    assert sorted(found.values()) in ([10], [1, 9])
    assert max(found, key=found.__getitem__) in {"quick", "qs"}


@both_ways
def test_the_cheapest_first_then_the_next(balanced: GatewayProcess, stream: bool) -> None:
    """A cheap target that fails is followed by the next cheapest, not by the next in the file."""
    answer = ask(balanced, "cheap", stream=stream)

    assert (answer.headers["x-wizard-model"], answer.headers["x-wizard-fallback"]) == ("echo?id=fair", "1")


def test_prices_may_stand_elsewhere_or_nowhere(balanced: GatewayProcess, upstream: Upstream) -> None:
    """Prices of the section and of the catalogue count as those of targets do; a target without any is asked last."""
    upstream.on("priced", refused(500))
    upstream.on("unpriced", whole())

    answer = ask(balanced, "cheap-elsewhere")

    assert (answer.headers["x-wizard-model"], answer.headers["x-wizard-fallback"]) == ("unpriced", "2")
    assert len(upstream.received("priced")) == 1


def test_what_a_target_cannot_do_is_asked_elsewhere(balanced: GatewayProcess) -> None:
    """Tools and length choose the target, before any is asked; what nobody can do is a 400 that says so."""
    long = [{"role": "user", "content": "word " * 200}]
    url = {"url": "https://x.test/a.png", "detail": "low"}
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": url}]}]

    plain, tools = asked(balanced, "able"), asked(balanced, "able", tools=TOOLS)
    length = asked(balanced, "able", messages=long)
    refusal = ask(balanced, "able", messages=image)

    assert (plain, tools, length) == ("plain", "able", "able")
    error = refusal.json()["error"]
    assert (refusal.status_code, error["code"], error["param"]) == (400, "unsupported_feature", "messages")
    assert error["message"].endswith("sim/echo?id=plain has no vision; sim/echo?id=able has no vision.")
    assert "x-wizard-provider" not in refusal.headers


@both_ways
def test_a_full_target_moves_calls_on(
    balanced: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor, stream: bool
) -> None:
    """While its only place is taken calls go to the fallback; when the answer has ended the place is free."""
    upstream.hold("held-1")
    first = crowd.submit(ask, balanced, "full", stream=stream)
    held = upstream.take("held-1")

    moved = ask(balanced, "full", stream=stream)
    finish(held, stream=stream)
    first.result()
    upstream.on("held-1", whole())
    after = ask(balanced, "full")

    assert moved.headers["x-wizard-model"] == "echo?id=spare"
    assert after.headers["x-wizard-model"] == "held-1"


def test_a_full_provider_says_when_to_come_back(
    balanced: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor
) -> None:
    """Without a fallback the client hears at once that there is no room, and should try again in a second."""
    upstream.hold("one")
    first = crowd.submit(ask, balanced, "narrow/one")
    held = upstream.take("one")

    refusal = ask(balanced, "narrow/two")
    finish(held, stream=False)
    first.result()

    error = refusal.json()["error"]
    assert (refusal.status_code, error["code"], error["kind"]) == (503, "overloaded", "overloaded")
    assert (refusal.headers["retry-after"], refusal.headers["x-should-retry"]) == ("1", "true")
    assert error["message"] == "'narrow' is at its limit of 1 calls at the same time."


def test_the_most_useful_failure_is_told(balanced: GatewayProcess, upstream: Upstream) -> None:
    """A provider's answer says more than a connection that was refused after it; both are listed."""
    upstream.on("limited", refused(429, headers=("retry-after: 7",)))

    answer = ask(balanced, "useful")

    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["provider"]) == (429, "target_rate_limited", "box")
    assert (answer.headers["retry-after"], answer.headers["x-wizard-provider"]) == ("7", "box")
    assert [tried["code"] for tried in error["attempts"]] == ["target_rate_limited", "target_unavailable"]


def test_attempts_and_positions_are_counted(balanced: GatewayProcess) -> None:
    """The metrics tell how reliable each target is, and how far down a route calls had to go."""
    labels = {"provider": "sim", "model": "fail?id=cheapest", "outcome": "failed"}
    failed = balanced.metric("wizard_attempts_total", **labels)
    second = balanced.metric("wizard_success_position_total", position="1")

    ask(balanced, "cheap")

    assert balanced.metric("wizard_attempts_total", **labels) == failed + 1
    assert balanced.metric("wizard_success_position_total", position="1") == second + 1


def test_turns_go_on_after_a_reload(upstream: Upstream) -> None:
    """Reading the configuration again does not begin from the top."""
    config = configuration(upstream)
    with running(Start(config)) as gateway:
        before = [asked(gateway, "turns") for _ in range(2)]
        gateway.write_config({**config, "timeouts": {"total_s": 60}})
        gateway.send_signal(signal.SIGHUP)
        gateway.wait_for_log("config_reloaded")
        after = asked(gateway, "turns")

    assert ([*before, after]) == [*"abc"]


PLUGIN = """
class LastFirst:
    def __init__(self, tools):
        self.route = tools.route

    def order(self, candidates, call):
        return list(reversed(candidates))
"""


@pytest.fixture
def plugin(tmp_path: Path) -> dict[str, str]:
    """Install a package that brings a strategy, and return the variables that make a gateway see it."""
    plant(tmp_path, "last_first", PLUGIN, "[wizard.strategies]\nlast_first = last_first:LastFirst\n")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))}


def test_a_strategy_of_another_package(plugin: dict[str, str]) -> None:
    """An installed strategy is named like the gateway's own, and does what it likes with the order."""
    route = {"strategy": "last_first", "targets": [sim("echo?id=a"), sim("echo?id=b")]}
    config = {"providers": {"sim": {"kind": "sim"}}, "models": {"fast": route}}

    with running(Start(config, variables=plugin)) as gateway:
        found = asked(gateway, "fast")

    assert found == "b"


def test_check_shows_the_strategy_of_each_route(upstream: Upstream, tmp_path: Path) -> None:
    """`wizard check` lists every route with its strategy and its targets."""
    with running(Start(configuration(upstream))) as gateway:
        done = subprocess.run(
            wizard("check", "--config", str(gateway.config_path)),
            cwd=tmp_path,
            env=clean_environment(),
            capture_output=True,
            text=True,
            check=True,
        )

    lines = [line.split() for line in done.stdout.splitlines()]
    assert ["turns", "round_robin", "sim/echo?id=a", "->", "sim/echo?id=b", "->", "sim/echo?id=c"] in lines
    assert "Retry > Breaker > Bulkhead > Spend > Measure > AttemptTimeout > Endpoint" in done.stdout
