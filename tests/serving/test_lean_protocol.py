"""A connection holds nothing of a request that has its answer, and loses nothing of one that is on its way."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from app.serving.lean_protocol import Flow, Queue
from tests.e2e.support.wire import Wire, connected, request_head
from tests.support.gateway import GatewayProcess, Start, running

SLOW = b'{"model":"sim/echo?first_token_s=0.3","messages":[{"role":"user","content":"hi"}]}'
FAST = request_head("GET", "/livez", {})


@pytest.fixture(scope="module")
def gateway() -> Iterator[GatewayProcess]:
    """Run a gateway."""
    with running(Start({"providers": {"sim": {"kind": "sim"}}})) as process:
        yield process


@pytest.fixture
def wire(gateway: GatewayProcess) -> Iterator[Wire]:
    """Connect to it."""
    with connected(gateway.port) as connection:
        yield connection


def slow() -> bytes:
    """Return a request whose answer takes a moment."""
    headers = {"content-type": "application/json", "content-length": str(len(SLOW))}
    return request_head("POST", "/v1/chat/completions", headers) + SLOW


def test_a_connection_serves_one_request_after_the_other(wire: Wire) -> None:
    """What is let go of after an answer is made anew for the next request."""
    for _ in range(3):
        wire.send(FAST)

        head = wire.head()

        assert head.status == 200
        assert wire.json(head)["status"]


def test_half_a_head_survives_the_answer_before_it(wire: Wire) -> None:
    """A head that had begun when the answer to the last request was done is read to its end."""
    wire.send(slow() + FAST[:30])
    first = wire.head()
    wire.json(first)
    wire.send(FAST[30:])

    second = wire.head()

    assert (first.status, second.status) == (200, 200)


def test_requests_in_a_row_are_answered_in_order(wire: Wire) -> None:
    """Requests that are sent before the first answer wait for their turn, the oldest first."""
    wire.send(slow() + FAST + slow())

    answers = [wire.json(wire.head()) for _ in range(3)]

    assert ["choices" in answer for answer in answers] == [True, False, True]


def test_a_queue_gives_the_oldest_first() -> None:
    """What is put in on the left comes out on the right."""
    queue: Queue[str] = Queue()
    for each in ("first", "second"):
        queue.appendleft(each)

    taken = [queue.pop(), queue.pop()]

    assert taken == ["first", "second"]


class _Pipe(asyncio.Transport):
    """A transport that does nothing."""


async def test_writers_wait_only_while_the_client_does_not_read() -> None:
    """A writer waits from when the transport is full until there is room; news may come twice."""
    flow = Flow(_Pipe())
    await flow.drain()
    flow.pause_writing()
    flow.pause_writing()
    waiting = asyncio.ensure_future(flow.drain())
    await asyncio.wait([waiting], timeout=0)
    waited = not waiting.done()

    flow.resume_writing()
    flow.resume_writing()
    await waiting
    await flow.drain()

    assert waited
    assert not flow.write_paused
