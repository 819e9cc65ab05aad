"""Where a route drains, a client that leaves loses nothing for those who come after it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.e2e.support.answers import DONE, FINISH, ROLE, WHOLE, word
from tests.e2e.support.asking import chat, send
from tests.e2e.support.state import with_state
from tests.e2e.support.upstream import Exchange, Upstream
from tests.e2e.support.wire import connected
from tests.support.gateway import GatewayProcess, Start, running

HI = [{"role": "user", "content": "hi"}]
USAGE = b'data: {"id":"c1","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}\n\n'


def configuration(upstream: Upstream, **streaming: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return a configuration with one route that drains; others cancel."""
    return {
        "providers": {"box": {"kind": "openai", "base_url": upstream.url}},
        "models": {
            "kept": {"targets": [{"provider": "box", "model": "kept"}], "streaming": {"on_disconnect": "drain"}},
            "wild/*": {"targets": [{"provider": "box", "model": "*"}], "streaming": {"on_disconnect": "drain"}},
        },
        "cache": {"enabled": True},
        "retry": {"max_attempts": 1},
        "circuit_breaker": {"enabled": False},
        "streaming": streaming,
    }


@pytest.fixture(scope="module", params=["memory", "redis"])
def gateway(request: pytest.FixtureRequest, upstream: Upstream) -> Iterator[GatewayProcess]:
    """Run a gateway without Redis, and one with it."""
    with with_state(request.param, configuration(upstream)) as process:
        yield process


def left_in_mid_stream(
    gateway: GatewayProcess, upstream: Upstream, body: dict[str, Any], name: str, session: str = ""
) -> Exchange:
    """Ask for a stream, read its first word and leave; return the provider's side."""
    headers = {"x-request-id": name} | ({"x-wizard-session": session} if session else {})
    upstream.hold("kept")
    with connected(gateway.port) as wire:
        wire.post("/v1/chat/completions", {"messages": HI, "stream": True, **body}, headers)
        exchange = upstream.take("kept")
        exchange.begin()
        exchange.part(ROLE + word("one "))
        wire.until(word("one "))
    gateway.wait_for_log("client_left", request_id=name, drained=True)
    return exchange


def to_its_end(exchange: Exchange) -> None:
    """Let the provider say the rest."""
    exchange.part(word("two"))
    exchange.part(FINISH + USAGE + DONE)
    exchange.end()


def test_a_stream_is_read_to_its_end(gateway: GatewayProcess, upstream: Upstream) -> None:
    """Usage is what the provider says, the log says that the client left, and the cache has the answer."""
    body = {"model": "kept", "seed": 1}
    exchange = left_in_mid_stream(gateway, upstream, body, "drain-1")

    to_its_end(exchange)

    line = gateway.wait_for_log("request_failed", request_id="drain-1")
    assert (499, "client_closed", "completed") == (line["status"], line["code"], line["drained"])
    assert (3, 2) == (line["prompt_tokens"], line["completion_tokens"])
    again = chat(gateway, model="kept", seed=1)
    assert "hit" == again.headers["x-wizard-cache"]
    assert "one two" == again.json()["choices"][0]["message"]["content"]
    gateway.wait_for_metric("wizard_drained_active", 0)
    assert gateway.metric("wizard_drained_total", outcome="completed") >= 1


def test_the_session_gets_the_answer(gateway: GatewayProcess, upstream: Upstream) -> None:
    """What the client did not wait for is part of the conversation."""
    session = send(gateway, "POST", "/v1/sessions").json()["id"]
    exchange = left_in_mid_stream(gateway, upstream, {"model": "kept"}, "drain-2", session)

    to_its_end(exchange)

    gateway.wait_for_log("request_failed", request_id="drain-2")
    messages = send(gateway, "GET", f"/v1/sessions/{session}").json()["messages"]
    assert ["hi", "one two"] == [message["content"] for message in messages]


def test_a_whole_answer_is_read_to_its_end(gateway: GatewayProcess, upstream: Upstream) -> None:
    """As a stream is, before a byte of it was there."""
    upstream.hold("kept")
    with connected(gateway.port) as wire:
        wire.post("/v1/chat/completions", {"model": "kept", "messages": HI, "seed": 3}, {"x-request-id": "drain-3"})
        exchange = upstream.take("kept")
    gateway.wait_for_log("client_left", request_id="drain-3", drained=True)

    exchange.answer(WHOLE)

    assert "completed" == gateway.wait_for_log("request_failed", request_id="drain-3")["drained"]
    again = chat(gateway, model="kept", seed=3)
    assert "hit" == again.headers["x-wizard-cache"]
    assert msgspec.json.decode(WHOLE)["choices"] == again.json()["choices"]


def test_a_repeat_gets_the_answer(gateway: GatewayProcess, upstream: Upstream) -> None:
    """A client that lost its connection sends its request again, and waits for the first one to be answered."""
    body = {"model": "kept", "messages": HI, "seed": 5}
    headers = {"idempotency-key": "drain-7", "cache-control": "no-store"}
    upstream.hold("kept")
    with connected(gateway.port) as wire:
        wire.post("/v1/chat/completions", body, {**headers, "x-request-id": "drain-7"})
        exchange = upstream.take("kept")
    gateway.wait_for_log("client_left", request_id="drain-7", drained=True)

    with connected(gateway.port) as wire:
        wire.post("/v1/chat/completions", body, headers)
        gateway.wait_for_metric("wizard_active_requests", 2)
        exchange.answer(WHOLE)
        head = wire.head()

    assert (200, "true") == (head.status, head.headers["x-wizard-idempotent-replay"])
    assert 1 == len(upstream.received("kept"))


def test_a_failure_is_told_apart(gateway: GatewayProcess, upstream: Upstream) -> None:
    """An answer that breaks off after its client left is none, and is not cached."""
    exchange = left_in_mid_stream(gateway, upstream, {"model": "kept", "seed": 4}, "drain-4")

    exchange.break_off()

    line = gateway.wait_for_log("request_failed", request_id="drain-4")
    upstream.on("kept", lambda asked: asked.answer(WHOLE))
    assert (499, "failed") == (line["status"], line["drained"])
    assert "miss" == chat(gateway, model="kept", seed=4).headers["x-wizard-cache"]


def test_routes_with_a_star_drain(gateway: GatewayProcess, upstream: Upstream) -> None:
    """What a route says of itself holds for every name that it stands for."""
    upstream.hold("kept")
    with connected(gateway.port) as wire:
        wire.post("/v1/chat/completions", {"model": "wild/kept", "messages": HI}, {"x-request-id": "drain-5"})
        exchange = upstream.take("kept")

    gateway.wait_for_log("client_left", request_id="drain-5", drained=True)
    exchange.answer(WHOLE)
    gateway.wait_for_log("request_failed", request_id="drain-5")


def test_other_routes_cancel(gateway: GatewayProcess, upstream: Upstream) -> None:
    """One route's choice is not another's."""
    upstream.hold("other")
    with connected(gateway.port) as wire:
        wire.ask("box/other", {"x-request-id": "drain-6"})
        exchange = upstream.take("other")

    assert exchange.peer_left()
    assert "drained" not in gateway.wait_for_log("request_failed", request_id="drain-6")


def test_only_so_many_at_once(upstream: Upstream) -> None:
    """Beyond the bound leaving cancels, and the provider is let go."""
    with running(Start(configuration(upstream, on_disconnect="drain", drain_max=1))) as gateway:
        upstream.hold("kept")
        exchanges = []
        for seed, drained in ((1, True), (2, False)):
            with connected(gateway.port) as wire:
                wire.post("/v1/chat/completions", {"model": "kept", "messages": HI, "seed": seed})
                exchanges.append(upstream.take("kept"))
            gateway.wait_for_log("client_left", drained=drained)

        assert exchanges[1].peer_left()
        assert 1 == gateway.metric("wizard_drained_active")
        assert 1 == gateway.metric("wizard_drained_total", outcome="refused")
        exchanges[0].answer(WHOLE)
        gateway.wait_for_metric("wizard_drained_active", 0)


def test_the_calls_own_time_is_the_bound(upstream: Upstream) -> None:
    """Nobody waits, but not for ever."""
    with running(Start(configuration(upstream))) as gateway:
        upstream.hold("kept")
        with connected(gateway.port) as wire:
            headers = {"x-request-id": "late", "x-wizard-timeout-ms": "4000"}
            wire.post("/v1/chat/completions", {"model": "kept", "messages": HI, "stream": True}, headers)
            exchange = upstream.take("kept")
            exchange.begin()
            exchange.part(ROLE + word("one "))
            wire.until(word("one "))

        assert exchange.peer_left()
        assert "failed" == gateway.wait_for_log("request_failed", request_id="late")["drained"]


@pytest.mark.parametrize("patience_s", [30, 0.5], ids=["in time", "too late"])
def test_the_end_of_the_process_waits(upstream: Upstream, patience_s: float) -> None:
    """For `server.drain_s`: an answer that comes in time is counted, any other is given up, and the process ends."""
    given = {**configuration(upstream), "server": {"drain_s": patience_s}}
    with running(Start(given)) as gateway:
        exchange = left_in_mid_stream(gateway, upstream, {"model": "kept"}, "end")
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_for_log("drain_started")
        if patience_s > 1:
            to_its_end(exchange)
        else:
            assert exchange.peer_left()

        assert 0 == gateway.wait()
        line = gateway.wait_for_log("request_failed", request_id="end")
    assert ("completed" if patience_s > 1 else "abandoned") == line["drained"]


def test_a_queued_call_is_not_kept(upstream: Upstream) -> None:
    """Who leaves before a provider was asked leaves nothing to read."""
    given = {**configuration(upstream, on_disconnect="drain"), "admission": {"max_in_flight": 1, "queue_wait_s": 30}}
    with running(Start(given)) as gateway:
        upstream.hold("kept")
        with connected(gateway.port) as first:
            first.post("/v1/chat/completions", {"model": "kept", "messages": HI, "seed": 1})
            exchange = upstream.take("kept")
            with connected(gateway.port) as second:
                second.post("/v1/chat/completions", {"model": "kept", "messages": HI, "seed": 2}, {"x-request-id": "q"})
                gateway.wait_for_metric("wizard_queue_depth", 1, priority="normal")
            line = gateway.wait_for_log("request_failed", request_id="q")
            exchange.answer(WHOLE)
            assert 200 == first.head().status

        assert 499 == line["status"]
        assert 1 == len(upstream.received("kept"))
