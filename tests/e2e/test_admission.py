"""A running gateway under more load than it takes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.e2e.support.answers import DONE, FINISH, WHOLE, word
from tests.e2e.support.upstream import Exchange, Upstream
from tests.e2e.support.wire import connected
from tests.support.gateway import LOCAL, GatewayProcess, Start, running

CHAT = "/v1/chat/completions"
both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])


@pytest.fixture(scope="module")
def narrow(upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway with one place and a queue for two."""
    providers = {"sim": {"kind": "sim"}, "box": {"kind": "openai", "base_url": upstream.url}}
    admission = {"max_in_flight": 1, "queue_max": 2, "queue_wait_s": 20}
    with running(Start({"providers": providers, "admission": admission})) as process:
        yield process


@pytest.fixture
def crowd() -> Iterator[ThreadPoolExecutor]:
    """Ask from several threads."""
    with ThreadPoolExecutor(8) as pool:
        yield pool


def ask(
    gateway: GatewayProcess, text: str, *, model: str = "box/held", stream: bool = False, **headers: str
) -> httpx2.Response:
    """Send a chat request and read its answer; headers are given with underscores."""
    body = {"model": model, "messages": [{"role": "user", "content": text}], "stream": stream}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.post(gateway.url + CHAT, json=body, headers=sent, **LOCAL)


def finish(exchange: Exchange, *, stream: bool = False) -> None:
    """Answer a held request."""
    if not stream:
        exchange.answer(WHOLE)
        return
    exchange.begin()
    for part in (word("a"), FINISH, DONE):
        exchange.part(part)
    exchange.end()


def text_of(exchange: Exchange) -> str:
    """Return what the caller of a held request had said."""
    body: dict[str, Any] = httpx2.Response(200, content=exchange.request.body).json()
    said: str = body["messages"][0]["content"]
    return said


@both_ways
def test_a_full_house(narrow: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor, stream: bool) -> None:
    """One runs, two wait, the next is refused; operators' endpoints answer all the while; then all are served."""
    upstream.hold("held")
    asked: list[Future[httpx2.Response]] = [crowd.submit(ask, narrow, "1", stream=stream)]
    held = upstream.take("held")
    for count in (1, 2):
        asked.append(crowd.submit(ask, narrow, "n", stream=stream))
        narrow.wait_for_metric("wizard_queue_depth", count, priority="normal")

    refusal = ask(narrow, "4", stream=stream)
    open_all_the_while = [narrow.get(path) for path in ("/livez", "/readyz", "/health", "/v1/models", "/metrics")]
    in_force = narrow.metric("wizard_admission_limit")
    finish(held, stream=stream)
    for _ in range(2):
        finish(upstream.take("held"), stream=stream)

    error = refusal.json()["error"]
    assert (refusal.status_code, error["code"], error["source"]) == (503, "overloaded", "gateway")
    assert 10 <= int(refusal.headers["retry-after"]) <= 30
    assert refusal.headers["x-should-retry"] == "true"
    assert "x-wizard-provider" not in refusal.headers
    assert [answer.status_code for answer in open_all_the_while] == [200] * 5
    assert in_force == 1
    assert [answer.result().status_code for answer in asked] == [200] * 3
    narrow.wait_for_metric("wizard_queue_depth", 0, priority="normal")
    assert narrow.metric("wizard_admission_refused_total", reason="queue_full") >= 1
    assert narrow.metric("wizard_queue_wait_seconds_count") >= 2
    narrow.wait_for_log("call_refused_overload", limit=1, in_flight=1, waiting=2)


@both_ways
def test_a_crowd_is_served_one_after_the_other(crowd: ThreadPoolExecutor, stream: bool) -> None:
    """Eight callers at once share two places and wait in the queue; all get their whole answer."""
    config = {"providers": {"sim": {"kind": "sim"}}, "admission": {"max_in_flight": 2, "queue_max": 10}}
    with running(Start(config)) as gateway:
        script = "sim/echo?first_token_s=0.1"
        asked = [crowd.submit(ask, gateway, "a b c", model=script, stream=stream) for _ in range(8)]
        answers = [answer.result() for answer in asked]
        gateway.wait_for_metric("wizard_active_requests", 0)
        waited = gateway.metric("wizard_queue_wait_seconds_count")

    assert [answer.status_code for answer in answers] == [200] * 8
    assert all(answer.text.endswith("data: [DONE]\n\n") is stream for answer in answers)
    assert waited > 0


def test_what_matters_more_pushes_out_and_goes_first(
    narrow: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor
) -> None:
    """In a full queue a high call takes the place of a low one, and overtakes the normal one."""
    upstream.hold("held")
    first = crowd.submit(ask, narrow, "first")
    held = upstream.take("held")
    normal = crowd.submit(ask, narrow, "normal")
    narrow.wait_for_metric("wizard_queue_depth", 1, priority="normal")
    low = crowd.submit(ask, narrow, "low", x_wizard_priority="low")
    narrow.wait_for_metric("wizard_queue_depth", 1, priority="low")

    high = crowd.submit(ask, narrow, "high", x_wizard_priority="high")
    refusal = low.result()
    finish(held)
    order = []
    for _ in range(2):
        held = upstream.take("held")
        order.append(text_of(held))
        finish(held)

    assert (refusal.status_code, refusal.json()["error"]["code"]) == (503, "overloaded")
    assert order == ["high", "normal"]
    assert [answer.result().status_code for answer in (first, normal, high)] == [200] * 3


def test_callers_take_turns(narrow: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor) -> None:
    """A caller who fills the queue gives up a place to another key, whose call comes in its turn."""
    upstream.hold("held")
    asked = [crowd.submit(ask, narrow, "greedy 1", authorization="Bearer sk-canary-1")]
    held = upstream.take("held")
    for count, text in enumerate(("greedy 2", "greedy 3"), 1):
        asked.append(crowd.submit(ask, narrow, text, authorization="Bearer sk-canary-1"))
        narrow.wait_for_metric("wizard_queue_depth", count, priority="normal")

    modest = crowd.submit(ask, narrow, "modest", x_api_key="sk-canary-2")
    refusal = asked[2].result()
    finish(held)
    order = []
    for _ in range(2):
        held = upstream.take("held")
        order.append(text_of(held))
        finish(held)

    assert refusal.status_code == 503
    assert order == ["greedy 2", "modest"]
    assert [answer.result().status_code for answer in (*asked[:2], modest)] == [200] * 3
    assert "canary" not in narrow.stdout.text + narrow.get("/metrics").text


@both_ways
def test_leaving_the_queue(narrow: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor, stream: bool) -> None:
    """A client that leaves while it waits is out of the queue at once, and its call never reaches a provider."""
    upstream.hold("held")
    first = crowd.submit(ask, narrow, "first")
    held = upstream.take("held")

    with connected(narrow.port) as wire:
        wire.ask("box/held", stream=stream)
        narrow.wait_for_metric("wizard_queue_depth", 1, priority="normal")
    narrow.wait_for_metric("wizard_queue_depth", 0, priority="normal")
    finish(held)

    assert first.result().status_code == 200
    assert len(upstream.received("held")) == 1
    narrow.wait_for_log("request_failed", code="client_closed", attempts=0)


@both_ways
def test_no_time_left_to_wait(
    narrow: GatewayProcess, upstream: Upstream, crowd: ThreadPoolExecutor, stream: bool
) -> None:
    """A call whose deadline comes while it waits is refused for want of room, just before."""
    upstream.hold("held")
    first = crowd.submit(ask, narrow, "first")
    held = upstream.take("held")

    refusal = ask(narrow, "second", stream=stream, x_wizard_timeout_ms="2000")
    finish(held)

    assert (refusal.status_code, refusal.json()["error"]["code"]) == (503, "overloaded")
    assert first.result().status_code == 200
    assert narrow.metric("wizard_admission_refused_total", reason="too_late") >= 1


@pytest.mark.parametrize("path", [CHAT, "/v1/generate"])
def test_bad_priority(narrow: GatewayProcess, path: str) -> None:
    """A word that is none of the three is refused by name."""
    body = {"model": "sim/echo", "messages": [{"role": "user", "content": "hi"}]}

    refusal = httpx2.post(narrow.url + path, json=body, headers={"x-wizard-priority": "urgent"}, **LOCAL)

    assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, "x-wizard-priority")
