"""A client that leaves, or stops reading, costs its provider nothing more."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.support.answers import ROLE, WHOLE, refused, word
from tests.e2e.support.upstream import Exchange, Upstream
from tests.e2e.support.wire import Wire, connected, dechunked
from tests.support.gateway import GatewayProcess

FRAME = word("x" * 65_536)
OFFERED = 4096  # frames: 256 MiB
BETWEEN = 1024  # what the buffers of all sockets on the way may hold together, generously
STILL_S = 1.0  # the flow has stopped for good when nothing moved for so long


def left(gateway: GatewayProcess, request_id: str) -> dict[str, Any]:
    """Wait until the gateway has noticed that a client left, and return what it logged."""
    line = gateway.wait_for_log("request_failed", request_id=request_id)
    gateway.wait_for_metric("wizard_active_requests", 0)
    gateway.wait_for_metric("wizard_streams_active", 0)
    return line


def held(wire: Wire, upstream: Upstream, request_id: str, *, stream: bool) -> Exchange:
    """Send a request and return it as the provider sees it."""
    upstream.hold("held")
    wire.ask("box/held", {"x-request-id": request_id}, stream=stream)
    return upstream.take("held")


@pytest.mark.parametrize("stream", [True, False])
def test_before_the_head(wire: Wire, upstream: Upstream, gateway: GatewayProcess, stream: bool) -> None:
    """While the provider has not answered at all, leaving closes its connection."""
    exchange = held(wire, upstream, f"left-1-{stream}", stream=stream)

    wire.close()

    assert exchange.peer_left()
    assert left(gateway, f"left-1-{stream}")["status"] == 499


def test_before_the_commit(wire: Wire, upstream: Upstream, gateway: GatewayProcess) -> None:
    """While the provider's first words are held back, leaving closes its connection."""
    exchange = held(wire, upstream, "left-2", stream=True)
    exchange.begin()
    exchange.part(ROLE)

    wire.close()

    assert exchange.peer_left()
    assert left(gateway, "left-2")["code"] == "client_closed"


def test_in_mid_stream(wire: Wire, upstream: Upstream, gateway: GatewayProcess) -> None:
    """In the middle of a stream, leaving closes the provider's connection, although it is silent."""
    exchange = held(wire, upstream, "left-3", stream=True)
    exchange.begin()
    exchange.part(word("a"))
    wire.until(word("a"))

    wire.close()

    assert exchange.peer_left()
    assert left(gateway, "left-3")["status"] == 499


def test_in_a_whole_answer(wire: Wire, upstream: Upstream, gateway: GatewayProcess) -> None:
    """While a whole answer is arriving, leaving closes the provider's connection."""
    exchange = held(wire, upstream, "left-4", stream=False)
    exchange.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(WHOLE))
    exchange.send(WHOLE[:50])

    wire.close()

    assert exchange.peer_left()
    assert left(gateway, "left-4")["status"] == 499


@pytest.mark.parametrize("ahead", [1, 3])
@pytest.mark.parametrize("stream", [True, False])
def test_with_requests_sent_ahead(
    wire: Wire, upstream: Upstream, gateway: GatewayProcess, stream: bool, ahead: int
) -> None:
    """A client that has sent its next requests already leaves as any other; those are never served."""
    exchange = held(wire, upstream, f"left-ahead-{ahead}-{stream}", stream=stream)
    for number in range(ahead):
        wire.ask("sim/echo", {"x-request-id": f"sent-ahead-{ahead}-{stream}-{number}"})

    wire.close()

    assert exchange.peer_left()
    assert left(gateway, f"left-ahead-{ahead}-{stream}")["status"] == 499
    seen = {line.get("request_id") for line in gateway.logs()}
    assert not {f"sent-ahead-{ahead}-{stream}-{number}" for number in range(ahead)} & seen
    assert not [line for line in gateway.logs() if line["event"] == "internal_fault"]


def test_in_the_pause_between_two_tries(wire: Wire, upstream: Upstream, gateway: GatewayProcess) -> None:
    """While the gateway waits before its next try, leaving means that there is no next try."""
    upstream.on("tired", refused(503, headers=("retry-after: 20",)))
    wire.ask("box/tired", {"x-request-id": "left-5"})
    gateway.wait_for_log("retry_attempt", request_id="left-5")

    wire.close()

    assert left(gateway, "left-5")["status"] == 499
    assert len(upstream.received("tired")) == 1


def test_leaving_is_nobodys_failure(wire: Wire, upstream: Upstream, gateway: GatewayProcess) -> None:
    """A client that left is counted under its own status, and never as a failure of the provider or the gateway."""
    counted = gateway.metric("wizard_requests_total", provider="box", model="held", status="499")
    exchange = held(wire, upstream, "left-6", stream=True)

    wire.close()

    assert exchange.peer_left()
    line = left(gateway, "left-6")
    assert line["level"] == "info"
    assert gateway.metric("wizard_requests_total", provider="box", model="held", status="499") == counted + 1
    assert "internal_fault" not in gateway.stdout.text


def test_client_that_does_not_read_stops_the_provider(upstream: Upstream, gateway: GatewayProcess) -> None:
    """Nothing piles up in the gateway: while the client does not read, neither does the gateway."""
    upstream.hold("flood")
    with connected(gateway.port, receive_buffer_bytes=65_536) as wire:
        wire.ask("box/flood", {"x-request-id": "left-7"})
        exchange = upstream.take("flood")
        exchange.begin()

        taken = exchange.flood(FRAME, OFFERED, STILL_S)

        assert taken < BETWEEN
    assert exchange.peer_left()
    assert left(gateway, "left-7")["status"] == 499


def test_client_that_reads_again_gets_everything(upstream: Upstream, gateway: GatewayProcess) -> None:
    """What was held up flows on, in order and complete, when the client reads again."""
    upstream.hold("flood")
    with connected(gateway.port, receive_buffer_bytes=65_536) as wire:
        wire.ask("box/flood")
        exchange = upstream.take("flood")
        exchange.begin()

        taken = exchange.flood(FRAME, OFFERED, STILL_S)
        exchange.break_off()
        wire.head()
        content, _ = dechunked(wire.rest())

    assert content.startswith(FRAME * taken)
    assert b"stream_broken" in content[-2000:]


def test_client_that_never_reads_again_is_given_up(upstream: Upstream, gateway: GatewayProcess) -> None:
    """The total time bounds a call also while it waits for its client: nobody can hold a provider for ever."""
    upstream.hold("flood")
    with connected(gateway.port, receive_buffer_bytes=65_536) as wire:
        wire.ask("box/flood", {"x-request-id": "left-8", "x-wizard-timeout-ms": "3000"})
        exchange = upstream.take("flood")
        exchange.begin()

        exchange.flood(FRAME, OFFERED, STILL_S)

        assert exchange.peer_left()
        assert left(gateway, "left-8")["duration_ms"] >= 3000
