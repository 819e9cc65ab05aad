"""A gateway that is its own provider notices."""

from __future__ import annotations

import signal
from typing import Any

import httpx2
import pytest

from tests.support.gateway import LOCAL, GatewayProcess, Start, eventually, running

PASSING = {"passthrough": {"enabled": True}}


def mirror(gateway: GatewayProcess, **server: int) -> dict[str, Any]:
    """Return a configuration in which this gateway is the provider of another gateway or of itself."""
    return {
        "server": server,
        "providers": {"sim": {"kind": "sim"}, "back": {"kind": "openai", "base_url": f"{gateway.url}/v1"}},
        "models": {"again": {"targets": [{"provider": "back", "model": "again"}]}},
    }


def reconfigured(gateway: GatewayProcess, config: dict[str, Any]) -> None:
    """Give a running gateway another configuration."""
    before = gateway.get("/readyz").json()["config_digest"]
    gateway.write_config(config)
    gateway.send_signal(signal.SIGHUP)
    eventually(
        lambda: gateway.get("/readyz").json()["config_digest"] != before, "the configuration was never taken over"
    )


@pytest.mark.parametrize("passes_max", [1, 3])
def test_a_gateway_that_asks_itself_is_refused(passes_max: int) -> None:
    """After as many passes as are allowed, with an error that says why, and without a retry on any level."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as gateway:
        reconfigured(gateway, mirror(gateway, loop_passes_max=passes_max))

        answer = gateway.ask("again")

        refused = gateway.wait_for_log("request_failed", code="loop_detected")
        assert refused["status"] == 400
        assert answer.status_code == 400
        assert answer.headers["x-should-retry"] == "false"
        passes = [line for line in gateway.logs() if line["event"] == "request_started"]
        assert len(passes) <= passes_max + 1
        assert not [line for line in gateway.logs() if line["event"] == "retry_attempt"]


def test_a_circle_of_two_gateways_is_refused() -> None:
    """Each of them is the other's provider."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as one, running(Start(mirror(one))) as other:
        reconfigured(one, mirror(other))

        answer = one.ask("again")

        assert answer.status_code == 400
        one.wait_for_log("request_failed", code="loop_detected")


def test_a_circle_through_what_is_passed_on_is_refused() -> None:
    """Also where nothing of a request is read, each gateway adds its name to those of the others."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as one, running(Start(mirror(one))) as two:
        for each, other in ((one, two), (two, one)):
            back = {"kind": "openai", "base_url": f"{other.url}/pass/back"}
            reconfigured(each, {"providers": {"back": back}, **PASSING})

        answer = httpx2.post(f"{one.url}/pass/back/files", json={}, **LOCAL)

        refused = one.wait_for_log("request_failed", code="loop_detected")
        assert refused["status"] == answer.status_code == 400


def test_a_chain_of_gateways_is_no_circle() -> None:
    """One gateway may be another one's provider."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as inner:
        config = mirror(inner)
        config["models"]["again"]["targets"][0]["model"] = "sim/echo"
        with running(Start(config)) as outer:
            answer = outer.ask("again")

    assert answer.json()["choices"][0]["message"]["content"] == "hi"
