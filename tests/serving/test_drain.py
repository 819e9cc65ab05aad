"""A gateway that is told to end: who finds out, what may finish, and what is cut off."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2
import msgspec
import pytest

from tests.e2e.support.answers import DONE, FINISH, word
from tests.e2e.support.upstream import Upstream, listening
from tests.e2e.support.wire import connected, dechunked, request_head
from tests.support.gateway import GatewayProcess, Start, eventually, running

CHAT = "/v1/chat/completions"


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    """Run a provider that a test plays."""
    with listening() as found:
        yield found


def start(upstream: Upstream, **server: float) -> Start:
    """Return a gateway that takes calls for half a minute after SIGTERM, if a test does not say otherwise."""
    given: Mapping[str, Any] = {"drain_delay_s": 30, **server}
    variables = {f"WIZARD_SERVER__{name.upper()}": str(value) for name, value in given.items()}
    boxed = {"providers": {"box": {"kind": "openai", "base_url": upstream.url}, "sim": {"kind": "sim"}}}
    return Start(boxed, variables=variables)


def refused(gateway: GatewayProcess) -> bool:
    """Say whether the gateway takes no connections any more."""
    try:
        gateway.get("/livez")
    except httpx2.TransportError:
        return True
    return False


def test_unready_at_once_and_still_serving(upstream: Upstream) -> None:
    """After SIGTERM `/readyz` says 503 and calls are answered; each answer asks for its connection to be closed."""
    with running(start(upstream)) as gateway:
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_for_log("drain_started")

        ready, alive, called = gateway.get("/readyz"), gateway.get("/livez"), gateway.ask("sim/echo")
        gateway.send_signal(signal.SIGTERM)
        code = gateway.wait()

    assert (ready.status_code, ready.json()["status"]) == (503, "draining")
    assert (alive.status_code, called.status_code) == (200, 200)
    assert {answer.headers["connection"] for answer in (ready, alive, called)} == {"close"}
    assert code == 0


def test_a_kept_connection_is_closed_after_its_next_answer(upstream: Upstream) -> None:
    """Whoever keeps a connection is told so with an answer, not by a connection that breaks under a request."""
    with running(start(upstream)) as gateway, connected(gateway.port) as wire:
        wire.send(request_head("GET", "/livez"))
        before = wire.head()
        wire.json(before)
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_for_log("drain_started")

        wire.send(request_head("GET", "/livez"))

        after = wire.head()
        assert "connection" not in before.headers
        assert after.headers["connection"] == "close"
        assert wire.json(after)["status"] == "alive"
        assert wire.rest() == b""
        gateway.send_signal(signal.SIGTERM)


def test_it_takes_no_more_calls_after_the_moment(upstream: Upstream) -> None:
    """When the moment is over new connections are refused, and open calls come to their end."""
    with running(start(upstream, drain_delay_s=0.2)) as gateway, connected(gateway.port) as wire:
        upstream.hold("held")
        wire.ask("box/held", stream=False)
        exchange = upstream.take("held")
        gateway.send_signal(signal.SIGTERM)
        eventually(lambda: refused(gateway), "the gateway still takes connections")

        exchange.answer(msgspec.json.encode({"choices": [{"message": {"content": "late"}, "finish_reason": "stop"}]}))

        head = wire.head()
        assert (head.status, head.headers["connection"]) == (200, "close")
        assert wire.json(head)["choices"][0]["message"]["content"] == "late"
        assert gateway.wait() == 0


def test_a_stream_that_lasts_too_long_is_told_and_broken_off(upstream: Upstream) -> None:
    """After `drain_s` the stream gets an error frame and no proper end, and the provider is left."""
    with running(start(upstream, drain_delay_s=0, drain_s=0.3)) as gateway, connected(gateway.port) as wire:
        upstream.hold("held")
        wire.ask("box/held")
        exchange = upstream.take("held")
        exchange.begin()
        exchange.part(word("a"))
        wire.head()

        gateway.send_signal(signal.SIGTERM)

        body, ended = dechunked(wire.rest())
        error = msgspec.json.decode(body.rpartition(b"data: ")[2])["error"]
        assert not ended
        assert (error["kind"], error["retryable"], error["message"]) == (
            "overloaded",
            True,
            "The gateway is being stopped.",
        )
        assert exchange.peer_left()
        assert gateway.wait() == 0
        assert gateway.wait_for_log("drain_ended")["cut"] == 1


def test_a_call_without_an_answer_is_refused_in_the_end(upstream: Upstream) -> None:
    """Before its commit point a call that has to go is a 503 which an SDK sends again."""
    with running(start(upstream, drain_delay_s=0, drain_s=0.3)) as gateway, connected(gateway.port) as wire:
        upstream.hold("held")
        wire.ask("box/held", stream=False)
        upstream.take("held")

        gateway.send_signal(signal.SIGTERM)

        head = wire.head()
        assert (head.status, head.headers["x-should-retry"], head.headers["connection"]) == (503, "true", "close")
        assert wire.json(head)["error"]["code"] == "overloaded"
        assert gateway.wait() == 0


def test_half_a_body_holds_up_nothing(upstream: Upstream) -> None:
    """Who never sends the rest of a request is not waited for, though `drain_s` is long."""
    with running(start(upstream, drain_delay_s=0, drain_s=600)) as gateway:
        with connected(gateway.port) as wire, connected(gateway.port) as other:
            wire.send(request_head("POST", CHAT, {"content-type": "application/json", "content-length": "99"}) + b"{")
            other.send(b"POST /v1/chat/completions HTTP/1.1\r\nhost: ga")
            gateway.send_signal(signal.SIGTERM)

            assert wire.rest() == b""
            assert other.rest() == b""
        assert gateway.wait() == 0


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_at_once(upstream: Upstream, again: signal.Signals) -> None:
    """Neither the moment for load balancers nor open streams are waited for any more."""
    with running(start(upstream, drain_s=600)) as gateway, connected(gateway.port) as wire:
        upstream.hold("held")
        wire.ask("box/held")
        exchange = upstream.take("held")
        exchange.begin()
        exchange.part(word("a"))
        wire.head()
        gateway.send_signal(signal.SIGTERM)
        gateway.wait_for_log("drain_started")

        gateway.send_signal(again)

        _, ended = dechunked(wire.rest())
        assert not ended
        assert gateway.wait() == 0


def test_ctrl_c_has_no_moment_for_load_balancers(upstream: Upstream) -> None:
    """Whoever sits in front of it does not wait; a running call is finished all the same."""
    with running(start(upstream)) as gateway, connected(gateway.port) as wire:
        upstream.hold("held")
        wire.ask("box/held")
        exchange = upstream.take("held")
        exchange.begin()
        exchange.part(word("a"))
        wire.head()

        gateway.send_signal(signal.SIGINT)
        eventually(lambda: refused(gateway), "the gateway still takes connections")
        exchange.part(FINISH + DONE)
        exchange.end()

        _, ended = dechunked(wire.rest())
        assert ended
        assert gateway.wait() == 0
