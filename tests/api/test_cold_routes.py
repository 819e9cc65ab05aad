"""The routes beside the calls, and the way past them. On a real loop: FastAPI uses threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fastapi import Response
from fastapi.responses import StreamingResponse
from prometheus_client import CollectorRegistry

from app.api.app import Api, Door
from app.api.cold import Exposition
from tests.api.support import Edge, Server
from tests.support.calls import FakeProvider, answers
from tests.support.virtual_time import VirtualClock

SECRET = "what the prompt said"


@asynccontextmanager
async def no_lifespan(_api: Api) -> AsyncIterator[None]:
    """Open nothing."""
    yield


def served(server: Server, exposition: Exposition | None = None) -> Server:
    """Serve one request of any route by the whole application and return it with its answer."""
    edge = Edge(FakeProvider(answers()), VirtualClock())
    registry = CollectorRegistry() if exposition else None
    api = Api(edge.desk, Door("1.2.3", 1_700_000_000.0, registry, exposition), no_lifespan)
    asyncio.run(api(server.scope, server.receive, server.send))
    return server


def test_fault_of_a_cold_route_is_a_plain_500() -> None:
    """A bug in a route beside the calls is the contract's JSON, too, without a word of the exception."""

    async def broken(_accept: str) -> tuple[str, bytes]:
        raise RuntimeError(SECRET)

    server = Server((b"",), path="/metrics", method="GET")

    with pytest.raises(RuntimeError):  # raised on behind the answer, for the server's log
        served(server, broken)

    assert (server.status, server.error["code"]) == (500, "internal")
    assert SECRET.encode() not in server.body


def test_metrics_can_be_switched_off() -> None:
    """Without metrics there is nothing at their address."""
    server = served(Server((b"",), path="/metrics", method="GET"))

    assert (server.status, server.error["code"]) == (404, "not_found")


def test_model_has_the_time_of_the_start() -> None:
    """Models show when the gateway was started as their time of creation."""
    server = served(Server((b"",), path="/v1/models/acme/small", method="GET"))

    assert server.body == b'{"id":"acme/small","object":"model","created":1700000000,"owned_by":"acme"}'


def test_call_goes_past_the_framework() -> None:
    """A call is answered by the hot route itself."""
    server = served(Server())

    assert server.status == 200
    assert "x-wizard-overhead-ms" in server.answer_headers


async def cut(begun: bool) -> Server:
    """Let the process end while a route beside the calls is at work, and return what its client got."""
    edge = Edge(FakeProvider(answers()), VirtualClock())
    api = Api(edge.desk, Door("1.2.3", 0.0, None, None), no_lifespan)
    working = asyncio.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"one"
        working.set()
        await asyncio.Event().wait()

    @api.get("/slow")
    async def slow() -> Response:
        if begun:
            return StreamingResponse(events())
        working.set()
        await asyncio.Event().wait()
        return Response()

    server = Server((b"",), path="/slow", method="GET")
    serving = asyncio.ensure_future(api(server.scope, server.receive, server.send))
    await working.wait()
    edge.desk.lifecycle.cut()
    serving.cancel()
    await serving
    return server


def test_the_end_of_the_process_is_a_refusal() -> None:
    """A route beside the calls that has said nothing yet is refused as calls are."""
    server = asyncio.run(cut(begun=False))

    assert (server.status, server.error["message"]) == (503, "The gateway is being stopped.")
    assert server.answer_headers["x-should-retry"] == "true"


def test_the_end_of_the_process_leaves_an_answer_incomplete() -> None:
    """What had begun is not ended properly."""
    server = asyncio.run(cut(begun=True))

    assert (server.status, server.complete) == (200, False)


async def test_any_other_cancellation_stays_one() -> None:
    """Only the end of the process turns a cancellation into an answer."""
    edge = Edge(FakeProvider(answers()), VirtualClock())
    api = Api(edge.desk, Door("1.2.3", 0.0, None, None), no_lifespan)

    @api.get("/slow")
    async def slow() -> Response:
        await asyncio.Event().wait()
        return Response()

    server = Server((b"",), path="/slow", method="GET")
    serving = asyncio.ensure_future(api(server.scope, server.receive, server.send))
    await asyncio.sleep(0.1)
    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
