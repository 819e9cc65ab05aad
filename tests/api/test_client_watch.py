"""A client that leaves ends its call at any moment, without harm to anything else."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from app.core.call import Call, Reply
from app.core.errors import TARGET_FAILED
from tests.api.support import BODY, STREAM, Edge, Server
from tests.support.calls import FakeProvider, Line, Step, answers, done, fails, hangs, role, streams, word
from tests.support.virtual_time import VirtualClock


@pytest.fixture
async def complaints() -> list[dict[str, Any]]:
    """Return what is reported to the loop as an error that nobody handled."""
    found: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: found.append(context))
    return found


async def settled() -> None:
    """Let everything run that is ready to."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("step", [hangs(), answers(after_s=60.0), fails(TARGET_FAILED, after_s=60.0)])
async def test_leaving_ends_the_call(clock: VirtualClock, complaints: list[dict[str, Any]], step: Step) -> None:
    """While the pipeline works, leaving ends the call at once; nothing is sent and nothing is a fault."""
    edge, server = Edge(FakeProvider(step), clock), Server()
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(5.0)
    begun = clock.now()

    server.left.set()
    await serving

    assert clock.now() == begun
    assert (server.sent, edge.told, complaints) == ([], [], [])


async def test_leaving_in_mid_stream_gives_the_connection_back(clock: VirtualClock) -> None:
    """In mid-stream, leaving ends the stream and gives the provider's connection back, once."""
    line = Line(role(), word(), 60.0, word(), done())
    edge, server = Edge(FakeProvider(streams(line)), clock), Server((STREAM,))
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(5.0)

    server.left.set()
    await serving

    assert line.released == 1
    assert server.status == 200
    assert not server.complete


async def test_leaving_while_not_reading(clock: VirtualClock) -> None:
    """A client that does not read and then leaves is noticed, too."""
    line = Line(word(), done())
    edge, server = Edge(FakeProvider(streams(line)), clock), Server((STREAM,))
    server.taking.clear()
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(5.0)

    server.left.set()
    await serving

    assert (line.released, server.sent) == (1, [])


@pytest.mark.parametrize("body", [BODY, STREAM])
async def test_leaving_with_the_last_byte(clock: VirtualClock, complaints: list[dict[str, Any]], body: bytes) -> None:
    """A client that is gone in the very moment in which its answer is complete has its answer, and nobody complains."""
    step = answers() if body is BODY else streams(Line(word(), done()))
    edge, server = Edge(FakeProvider(step), clock), Server((body,), leaves_at_end=True)

    await edge.serve(server)
    await settled()

    assert server.complete
    assert (edge.told, complaints) == ([], [])


async def test_leaving_behind_the_answer_cancels_nothing(clock: VirtualClock) -> None:
    """The task that served a client goes on undisturbed when the client leaves later."""
    edge, server = Edge(FakeProvider(answers()), clock), Server()

    async def serve_and_go_on() -> str:
        await edge.serve(server)
        server.left.set()
        await asyncio.sleep(10.0)
        return "undisturbed"

    assert await asyncio.create_task(serve_and_go_on()) == "undisturbed"


async def test_leaving_cancels_only_this_call(clock: VirtualClock) -> None:
    """After a client has left, its task is as good as new."""
    edge, server = Edge(FakeProvider(hangs()), clock), Server()

    async def serve_and_go_on() -> int:
        asyncio.get_running_loop().call_later(1.0, server.left.set)
        await edge.serve(server)
        await asyncio.sleep(10.0)
        task = asyncio.current_task()
        assert task is not None
        return task.cancelling()

    assert await asyncio.create_task(serve_and_go_on()) == 0


async def test_cancellation_from_outside_stays_one(clock: VirtualClock) -> None:
    """A server that stops cancels the call and learns that it was cancelled; the connection is given back."""
    line = Line(word(), 60.0, done())
    edge, server = Edge(FakeProvider(streams(line)), clock), Server((STREAM,))
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(5.0)

    serving.cancel()

    with pytest.raises(asyncio.CancelledError):
        await serving
    assert (line.released, server.complete, edge.told) == (1, False, [])


@pytest.mark.parametrize("first", ["client", "server"])
async def test_both_at_once_is_a_cancellation(clock: VirtualClock, first: str) -> None:
    """When the client leaves and the server stops in the same moment, the server's wish is not lost."""
    edge, server = Edge(FakeProvider(hangs()), clock), Server()
    serving = asyncio.create_task(edge.serve(server))
    await asyncio.sleep(5.0)

    if first == "client":
        server.left.set()
        await asyncio.sleep(0)
        serving.cancel()
    else:
        serving.cancel()
        server.left.set()

    with pytest.raises(asyncio.CancelledError):
        await serving


async def test_leaving_in_mid_body(clock: VirtualClock) -> None:
    """A client that leaves before its request is complete causes no call and no answer."""
    provider = FakeProvider()
    edge, server = Edge(provider, clock), Server((b'{"model":',), more_to_come=True)
    asyncio.get_running_loop().call_later(1.0, server.left.set)

    await edge.serve(server)

    assert (provider.asked, server.sent, edge.told) == ([], [], [])


async def test_fault_while_leaving_is_still_reported(clock: VirtualClock) -> None:
    """A bug that shows when a call is cancelled is reported as one, although nobody waits for the answer."""

    async def stumbles(_call: Call) -> Reply:
        try:
            await asyncio.sleep(60.0)
        except asyncio.CancelledError:
            raise RuntimeError("stumbled") from None
        raise AssertionError

    edge, server = Edge(stumbles, clock), Server()
    asyncio.get_running_loop().call_later(1.0, server.left.set)

    await asyncio.create_task(edge.serve(server))

    assert [type(signal).__name__ for signal in edge.told] == ["InternalFault"]
