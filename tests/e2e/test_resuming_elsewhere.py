"""Streams are resumed at whatever process a client meets, where replicas and workers share a Redis."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from tests.e2e.support.answers import DONE, FINISH, ROLE, word
from tests.e2e.support.asking import bearer, code
from tests.e2e.support.upstream import Upstream
from tests.e2e.support.wire import connected, dechunked, request_head
from tests.e2e.test_resuming import begun, configuration, followed, get, left, numbered, read
from tests.support.gateway import GatewayProcess, Start, eventually, running
from tests.support.redis_server import RedisServer, redis_server

SAID = (ROLE, word("one "), word("two "))  # what `left` reads
CONNECTIONS = 8  # that meet both of two workers


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as server:
        yield server


@contextmanager
def sharing(
    upstream: Upstream, redis: RedisServer, count: int, flags: Sequence[str] = ()
) -> Iterator[list[GatewayProcess]]:
    """Run so many gateways with one Redis."""
    given = {**configuration(upstream), "redis": redis.patient}
    with ExitStack() as opened:
        yield [opened.enter_context(running(Start(given, flags))) for _ in range(count)]


@pytest.fixture(scope="module", params=["replicas", "workers"])
def doors(request: pytest.FixtureRequest, upstream: Upstream, redis: RedisServer) -> Iterator[list[GatewayProcess]]:
    """Return where clients begin and where they resume: two replicas, or one gateway with two workers."""
    if request.param == "replicas":
        with sharing(upstream, redis, 2) as pair:
            yield pair
        return
    with sharing(upstream, redis, 1, ("--workers", "2")) as (gateway,):
        yield [gateway, gateway]


def test_a_stream_that_is_under_way(doors: list[GatewayProcess], upstream: Upstream) -> None:
    """Whoever comes back elsewhere gets what it missed and what is yet to come, and the call is complete."""
    here, there = doors
    stream_id, exchange = left(here, upstream, "elsewhere-1")
    exchange.part(word("three"))

    named, tail = followed(there, stream_id, exchange)

    assert stream_id == named
    assert b"id: 5\n" + FINISH + b"id: 6\n" in tail
    assert tail.endswith(DONE + b"\r\n0\r\n\r\n")
    eventually(lambda: ending(here, "elsewhere-1"), "the call never ended")
    assert ending(here, "elsewhere-1") in ([(200, None)], [(499, "completed")])  # before it heard that somebody follows
    there.wait_for_log("stream_resumed", request_id="elsewhere-1", events=2, live=True)


def test_a_stream_that_has_ended(doors: list[GatewayProcess], upstream: Upstream) -> None:
    """Each process has all of it, for its caller alone, and knows the end."""
    here, there = doors
    with begun(here, upstream, bearer("sk-one"), b"".join(SAID)) as (stream_id, exchange, wire):
        exchange.part(FINISH + DONE)
        exchange.end()
        wire.until(DONE)
        wire.until(b"0\r\n\r\n")

    for _ in range(CONNECTIONS):
        found = read(there, stream_id, bearer("sk-one"))
        eventually(lambda: is_complete(there, f"{stream_id}?after=5", bearer("sk-one")), "its end was never known")
        refused = get(there, f"{stream_id}?after=6", bearer("sk-one"))
        stranger = get(there, stream_id, bearer("sk-other"))

        assert (numbered(*SAID, FINISH, DONE), True) == found
        assert [400, 404] == [answer.status_code for answer in (refused, stranger)]
        assert "stream_not_found" == code(stranger)


def ending(gateway: GatewayProcess, request_id: str) -> list[tuple[int, str | None]]:
    """Return with which status a call ended, and what became of it if its client was gone; nothing until then."""
    lines = [line for line in gateway.logs() if line.get("request_id") == request_id]
    ends = {"request_completed", "request_failed"}
    return [(line["status"], line.get("drained")) for line in lines if line["event"] in ends]


def is_complete(gateway: GatewayProcess, path: str, headers: Mapping[str, str]) -> bool:
    """Say whether nothing is missing; until its end has come, a stream that says no more is one that goes on."""
    answer = get(gateway, path, headers)
    assert (answer.status_code, answer.text) in {(204, ""), (200, "")}
    return answer.status_code == 204


def test_a_stream_that_broke(doors: list[GatewayProcess], upstream: Upstream) -> None:
    """A failure stays one wherever it is read: an error event, a broken connection, and never an end."""
    here, there = doors
    stream_id, exchange = left(here, upstream, "elsewhere-2")

    exchange.break_off()
    here.wait_for_log("request_failed", request_id="elsewhere-2")
    content, proper = read(there, f"{stream_id}?after=3")

    assert content.startswith(b"id: 4\ndata: ")
    assert b"stream_broken" in content
    assert b"[DONE]" not in content
    assert not proper


def test_a_replica_that_stops(upstream: Upstream, redis: RedisServer) -> None:
    """What it had said can still be had elsewhere, to the proper end."""
    with sharing(upstream, redis, 2) as (here, there):
        stream_id, exchange = left(here, upstream, "stops")
        exchange.part(FINISH + DONE)
        exchange.end()
        here.wait_for_log("request_failed", request_id="stops")
        here.send_signal(signal.SIGTERM)
        assert 0 == here.wait()

        assert (numbered(*SAID, FINISH, DONE), True) == read(there, stream_id)


def test_a_replica_that_dies(upstream: Upstream, redis: RedisServer) -> None:
    """The stream breaks for whoever follows it elsewhere, with an error event in its dialect and no end."""
    with sharing(upstream, redis, 2) as (here, there):
        stream_id, _ = left(here, upstream, "dies")
        with connected(there.port) as wire:
            wire.send(request_head("GET", f"/v1/streams/{stream_id}", {"connection": "close"}))
            wire.head()
            before = wire.until(b"two ")
            here.send_signal(signal.SIGKILL)
            content, proper = dechunked(before + wire.rest())

        assert b"stream_broken" in content
        assert not proper


def test_without_redis_each_process_has_its_own(upstream: Upstream) -> None:
    """A second replica does not know the stream."""
    given = configuration(upstream)
    with running(Start(given)) as here, running(Start(given)) as there:
        stream_id, exchange = left(here, upstream, "alone")

        assert "stream_not_found" == code(get(there, stream_id))
        exchange.part(FINISH + DONE)
        exchange.end()
