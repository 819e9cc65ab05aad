"""Providers that are asked how they are, through the running gateway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import STREAM, refused, streamed, whole
from tests.e2e.support.asking import ADMIN_TOKEN, admin
from tests.e2e.support.upstream import Upstream, listening
from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running
from tests.support.redis_server import redis_server


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Run a provider of this test alone."""
    with listening() as provider:
        provider.on("pulse", whole())
        provider.on("big", whole())
        yield provider


def configuration(upstream: Upstream, **health: object) -> dict[str, Any]:
    """Return a configuration that asks often."""
    asked = {"enabled": True, "model": "pulse", "interval_s": 0.05, "timeout_s": 5, "failures": 2, **health}
    box = {"kind": "openai", "base_url": upstream.url, "health": asked}
    big, small = ({"provider": "box", "model": model} for model in ("big", "pulse"))
    other = {"provider": "sim", "model": "echo"}
    return {
        "admin": {"token": ADMIN_TOKEN},
        "providers": {"box": box, "sim": {"kind": "sim"}},
        "models": {"pair": {"targets": [big, other]}, "twins": {"targets": [big, small]}},
        "circuit_breaker": {"enabled": False},
    }


def is_up(gateway: GatewayProcess, value: int) -> bool:
    """Say whether the metrics know it."""
    return f'wizard_provider_up{{provider="box"}} {value}.0' in gateway.get("/metrics").text


def wait_until(gateway: GatewayProcess, *, up: bool) -> None:
    """Wait until the provider is up, or down."""
    eventually(lambda: is_up(gateway, int(up)), f"the provider never became {'up' if up else 'down'}")


@pytest.mark.parametrize("stream", [False, True])
def test_down_and_up_again(upstream: Upstream, stream: bool) -> None:
    """While probes fail calls go elsewhere without asking it, and come back as soon as one is answered."""
    well = streamed(STREAM) if stream else whole()
    upstream.on("pulse", well)
    with running(Start(configuration(upstream, stream=stream))) as gateway:
        wait_until(gateway, up=True)
        before = gateway.ask("pair")
        upstream.on("pulse", refused(500))
        wait_until(gateway, up=False)
        upstream.on("big", whole())
        during = gateway.ask("pair")
        asked_during = len(upstream.received("big"))
        seen = admin(gateway, "GET", "/health").json()["providers"][0]
        upstream.on("pulse", well)
        wait_until(gateway, up=True)
        after = gateway.ask("pair")
        gateway.wait_for_log("provider_down", provider="box", code="target_failed")
        gateway.wait_for_log("provider_up", provider="box")

    assert [each.headers["x-wizard-provider"] for each in (before, during, after)] == ["box", "sim", "box"]
    assert asked_during == 0
    assert (seen["provider"], seen["model"], seen["up"], seen["code"]) == ("box", "pulse", False, "target_failed")
    sent = msgspec.json.decode(upstream.received("pulse")[0].body)
    assert (sent["model"], sent["stream"]) == ("pulse", stream)


def test_an_open_circuit_is_in_nobodys_way(upstream: Upstream) -> None:
    """The provider is asked whatever the circuit of the model says, which is left as calls made it."""
    upstream.on("pulse", refused(500))
    config = {**configuration(upstream), "circuit_breaker": {"failure_threshold": 1, "open_s": 3600}}
    with running(Start(config)) as gateway:
        wait_until(gateway, up=False)
        closed = admin(gateway, "GET", "/circuits").json()["circuits"]
        admin(gateway, "POST", "/circuits/box/pulse/open")
        upstream.on("pulse", whole())
        wait_until(gateway, up=True)
        opened = admin(gateway, "GET", "/circuits").json()["circuits"]

    assert [each["state"] for each in closed] in ([], ["closed"])
    assert [each["state"] for each in opened] == ["open"]


def test_a_stream_that_breaks_off_is_a_failure(upstream: Upstream) -> None:
    """What is asked for as a stream is judged at its end."""
    upstream.on("pulse", streamed(STREAM[:400]))
    with running(Start(configuration(upstream, stream=True))) as gateway:
        wait_until(gateway, up=False)


def test_silence_is_a_failure(upstream: Upstream) -> None:
    """No answer in time is none."""
    upstream.on("pulse", lambda _exchange: None)
    with running(Start(configuration(upstream, timeout_s=0.1))) as gateway:
        wait_until(gateway, up=False)
        seen = admin(gateway, "GET", "/health").json()["providers"][0]

    assert seen["code"] == "timeout_total"


def test_the_last_hope_is_tried(upstream: Upstream) -> None:
    """A call with one target is refused as by an open circuit; of several that are all down, the last is tried."""
    upstream.on("pulse", refused(500))
    with running(Start(configuration(upstream))) as gateway:
        wait_until(gateway, up=False)
        alone, twins = gateway.ask("box/big"), gateway.ask("twins")

    assert (alone.status_code, alone.json()["error"]["code"]) == (503, "circuit_open")
    assert int(alone.headers["retry-after"]) >= 1
    assert twins.json()["error"]["code"] == "target_failed"


def test_off_by_default(upstream: Upstream) -> None:
    """Nobody is asked who is not to be."""
    config = configuration(upstream, enabled=False)
    with running(Start(config)) as gateway:
        answer = gateway.ask("pair")
        shown = gateway.get("/metrics").text
        listed = admin(gateway, "GET", "/health").json()

    assert answer.status_code == 200
    assert upstream.received("pulse") == []
    assert "wizard_provider_up{" not in shown
    assert listed == {"providers": []}


def test_a_model_is_needed(upstream: Upstream) -> None:
    """There is no asking without one."""
    config = configuration(upstream, model=None)

    with pytest.raises(AssertionError, match=r"providers\.box\.health\.model"), running(Start(config)):
        pass


def test_no_answer_without_the_token(upstream: Upstream) -> None:
    """It is for operators."""
    with running(Start(configuration(upstream))) as gateway:
        reply = httpx2.get(f"{gateway.url}/admin/health", **LOCAL)

    assert reply.status_code == 401


def test_one_asks_for_all(upstream: Upstream) -> None:
    """Of two gateways with one Redis one asks, and the other hears of it; neither waits for a turn of its own."""
    upstream.on("pulse", refused(500))
    with redis_server() as redis:
        config = {**configuration(upstream, interval_s=3600, failures=1), "redis": redis.patient}
        with running(Start(config)) as first:
            wait_until(first, up=False)
            with running(Start(config)) as second:
                wait_until(second, up=False)
                answer = second.ask("pair")

    assert len(upstream.received("pulse")) == 1
    assert answer.headers["x-wizard-provider"] == "sim"
