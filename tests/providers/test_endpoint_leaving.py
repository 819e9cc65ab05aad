"""The life of the connection behind an answer: dropped when the client leaves, kept when the answer was complete."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from app.core.outcome import End, Outcome
from app.providers.client import HttpxClient
from tests.providers.endpoint_rig import ASK_STREAM, DONE, HELLO, ROLE, STOP, Rig, attempt, cancelled, events_of
from tests.support.upstream_server import (
    LAST_CHUNK,
    SSE_HEAD,
    Act,
    Step,
    UpstreamServer,
    always,
    chunk,
    in_turn,
    streamed,
    whole,
)

ANSWER = b'{"choices":[{"finish_reason":"stop"}]}'


@pytest.mark.parametrize(
    ("raw", "answer"),
    [
        (None, []),
        (None, [b"HTTP/1.1 200 OK\r\nconte"]),
        (None, [whole(ANSWER)[:-3]]),
        (None, [whole(b"x" * 99, 500)[:-3]]),
        (ASK_STREAM, []),
        (ASK_STREAM, [SSE_HEAD]),
        (ASK_STREAM, [SSE_HEAD, chunk(ROLE)]),
        (ASK_STREAM, [SSE_HEAD, chunk(ROLE), HELLO[:9]]),
    ],
    ids=["head", "in head", "body", "refusal", "stream head", "first event", "commit", "in chunk"],
)
async def test_leaving_before_the_commit_point(client: HttpxClient, raw: bytes | None, answer: list[Step]) -> None:
    """A client that leaves while the provider is still waited for takes the provider's connection with it."""
    async with UpstreamServer(always(*answer, Act.HANG)) as server:
        asked = attempt(raw) if raw else attempt()
        asking = asyncio.ensure_future(Rig(client, server.url).endpoint()(asked))
        await server.wait_for_requests(1)
        await asyncio.sleep(0.02)  # so that what was sent has been read

        assert await cancelled(asking)
        await server.connections[0].wait_closed()
        assert server.connections[0].by_peer


async def test_leaving_between_commit_and_reading(client: HttpxClient) -> None:
    """A stream that nobody begins to read is closed all the same."""
    outcomes: list[Outcome] = []
    async with UpstreamServer(always(SSE_HEAD, chunk(HELLO), Act.HANG)) as server:
        stream = await Rig(client, server.url).stream()
        stream.when_done(outcomes.append)

        await stream.aclose()

        await server.connections[0].wait_closed()
        assert [outcome.end for outcome in outcomes] == [End.ABANDONED]


async def test_leaving_while_the_next_event_is_awaited(client: HttpxClient) -> None:
    """A reader that is cancelled in the middle of a stream closes the provider's connection."""
    outcomes: list[Outcome] = []
    async with UpstreamServer(always(SSE_HEAD, chunk(HELLO), Act.HANG)) as server:
        stream = await Rig(client, server.url).stream()
        stream.when_done(outcomes.append)
        reading = asyncio.create_task(events_of(stream))
        await asyncio.sleep(0.02)

        assert await cancelled(reading)
        await server.connections[0].wait_closed()
        assert [outcome.end for outcome in outcomes] == [End.ABANDONED]


@pytest.mark.parametrize("fresh", [False, True])
async def test_leaving_while_an_event_is_written(client: HttpxClient, fresh: bool) -> None:
    """A reader that stops between two events, held back or fresh, closes the provider's connection."""
    go = asyncio.Event()
    async with UpstreamServer(always(SSE_HEAD, chunk(HELLO), go, chunk(HELLO), Act.HANG)) as server:
        stream = await Rig(client, server.url).stream()
        async with aclosing(stream):
            reading = aiter(stream)
            await anext(reading)
            if fresh:
                go.set()
                await anext(reading)

        await server.connections[0].wait_closed()
        assert server.connections[0].by_peer


async def test_nothing_goes_on_behind_a_stream_that_was_left(client: HttpxClient) -> None:
    """Once a stream is closed there is no task that works for it."""
    before = asyncio.all_tasks()
    async with UpstreamServer(always(SSE_HEAD, chunk(HELLO), Act.HANG)) as server:
        stream = await Rig(client, server.url).stream()
        await anext(aiter(stream))
        await stream.aclose()
        await server.connections[0].wait_closed()

    assert asyncio.all_tasks() == before


async def test_a_whole_answer_keeps_the_connection(client: HttpxClient) -> None:
    """Answers after each other need one connection."""
    async with UpstreamServer(always(whole(ANSWER))) as server:
        for _ in range(3):
            await Rig(client, server.url).whole()

        assert len(server.connections) == 1


async def test_a_complete_stream_keeps_the_connection(client: HttpxClient) -> None:
    """The end of the body is waited for behind `[DONE]`, so the connection serves the next stream."""
    answer: list[Step] = [*streamed(HELLO, STOP, DONE)[:-1], 0.0, LAST_CHUNK]
    async with UpstreamServer(always(*answer)) as server:
        for _ in range(3):
            await events_of(await Rig(client, server.url).stream())

        assert len(server.connections) == 1


@pytest.mark.parametrize("behind", [[Act.HANG], [chunk(b": more\n\n"), Act.HANG], [Act.RESET], [b"zz\r\n"]])
async def test_an_endless_body_costs_only_the_connection(client: HttpxClient, behind: list[Step]) -> None:
    """A provider that goes on or breaks behind `[DONE]` has given its answer; its connection is dropped."""
    answers: list[list[Step]] = [[*streamed(HELLO, STOP, DONE)[:-1], *behind], [whole(ANSWER)]]
    async with UpstreamServer(in_turn(*answers)) as server:
        events = await events_of(await Rig(client, server.url).stream())
        await server.connections[0].wait_closed()
        await Rig(client, server.url).whole()

        assert events[-1].done
        assert len(server.connections) == 2


@pytest.mark.parametrize(
    "answer",
    [
        streamed(b'data: {"error":{"message":"no"}}\n\n'),
        streamed(ROLE, b'data: {"error":{"message":"no"}}\n\n'),
        [whole(b"{}", 200, "content-encoding: gzip")[:-1]],
        [whole(b"x" * 100_000, 500)[:-1]],
    ],
)
async def test_a_failed_attempt_holds_no_connection(client: HttpxClient, answer: list[Step]) -> None:
    """Whatever makes an attempt fail, its connection is given back or dropped, never kept."""
    async with UpstreamServer(in_turn([*answer, Act.HANG], [whole(ANSWER)])) as server:
        await Rig(client, server.url).failure(attempt(ASK_STREAM))

        await server.connections[0].wait_closed()
        assert server.open == []
