"""Streams over a real connection: what is forwarded, what commits, and that none of them ends half-way unnoticed."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Attempt
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    STREAM_BROKEN,
    TARGET_BUSY,
    TARGET_FAILED,
    TARGET_RATE_LIMITED,
    TARGET_UNAVAILABLE,
    TIMEOUT_IDLE,
    TIMEOUT_TOTAL,
    GatewayError,
    Kind,
)
from app.core.outcome import End, Outcome
from app.providers.client import HttpxClient
from tests.providers.endpoint_rig import ASK_STREAM, DONE, HELLO, ROLE, STOP, Rig, attempt, broken, events_of
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

ERROR = b'data: {"error":{"message":"busy","type":"overloaded_error"}}\n\n'
CLOSED_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n"
ENDS = pytest.mark.parametrize("end", [Act.CLOSE, Act.RESET], ids=lambda end: end.value)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_forwards_the_providers_frames(client: HttpxClient, size: int) -> None:
    """The client gets the provider's own bytes, however they were cut into chunks."""
    sent = ROLE + HELLO + b'data: {"future": [1.0]}\n\n' + STOP + DONE
    pieces = [sent[at : at + size] for at in range(0, len(sent), size)]
    async with UpstreamServer(always(*streamed(*pieces))) as server:
        events = await events_of(await Rig(client, server.url).stream())

    assert b"".join(event.frame for event in events) == sent


async def test_sends_the_clients_own_bytes(client: HttpxClient) -> None:
    """A request for a stream is as little touched as any other."""
    raw = b' { "stream": true, "stream_options": {"include_usage":true}, "model":"m", "messages":[] } '
    async with UpstreamServer(always(*streamed(HELLO, STOP, DONE))) as server:
        await events_of(await Rig(client, server.url).stream(attempt(raw)))

        assert server.requests[0].body == raw


async def test_a_stream_that_ends_with_its_connection_is_complete(client: HttpxClient) -> None:
    """`[DONE]` ends the answer, whatever ends the body."""
    async with UpstreamServer(always(CLOSED_HEAD, HELLO + STOP + DONE, Act.CLOSE)) as server:
        events = await events_of(await Rig(client, server.url).stream())

    assert events[-1].done


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ([whole(b'{"error":{"message":"x"}}', 429)], TARGET_RATE_LIMITED),
        ([whole(b"<html>", 503)], TARGET_BUSY),
        ([whole(b'{"error":{"code":502}}')], TARGET_FAILED),
        ([whole(b'{"error":{"code":502}}', media="application/json; charset=utf-8")], TARGET_FAILED),
        ([whole(b'{"choices":[{"finish_reason":"stop"}]}')], BAD_UPSTREAM_REPLY),
        ([whole(b"<html>", media="text/html")], BAD_UPSTREAM_REPLY),
        ([whole(b"", media="text/event-stream")], TARGET_UNAVAILABLE),
        ([whole(HELLO, 200, "content-encoding: gzip", media="text/event-stream")], BAD_UPSTREAM_REPLY),
        (streamed(ROLE, ERROR), TARGET_BUSY),
        (streamed(ROLE, b"data: {\n\n"), BAD_UPSTREAM_REPLY),
        (streamed(ROLE, DONE), TARGET_UNAVAILABLE),
        (streamed(ROLE), TARGET_UNAVAILABLE),
        ([SSE_HEAD, chunk(ROLE), Act.RESET], TARGET_UNAVAILABLE),
    ],
)
async def test_a_failure_before_the_commit_point_is_an_exception(
    client: HttpxClient, answer: list[Step], kind: Kind
) -> None:
    """Until something of the answer was seen, every failure is raised by the call, so that it can be tried again."""
    async with UpstreamServer(always(*answer)) as server:
        error = await Rig(client, server.url).failure(attempt(ASK_STREAM))

        assert (error.kind, error.provider, error.from_upstream) == (kind, "acme", True)


@pytest.mark.parametrize(
    ("rest", "kind"),
    [
        ([chunk(ERROR)], TARGET_BUSY),
        ([chunk(b"data: {\n\n")], STREAM_BROKEN),
        ([chunk(DONE)], STREAM_BROKEN),
        ([LAST_CHUNK], STREAM_BROKEN),
        ([chunk(STOP), LAST_CHUNK], STREAM_BROKEN),
        ([b"zz\r\n"], STREAM_BROKEN),
        ([Act.CLOSE], STREAM_BROKEN),
        ([Act.RESET], STREAM_BROKEN),
    ],
)
async def test_a_failure_after_the_commit_point_breaks_the_stream(
    client: HttpxClient, rest: list[Step], kind: Kind
) -> None:
    """What was seen stays, the failure follows it, and whoever asked is told how it ended."""
    outcomes: list[Outcome] = []
    committed = asyncio.Event()
    async with UpstreamServer(always(SSE_HEAD, chunk(ROLE), chunk(HELLO), committed, *rest)) as server:
        stream = await Rig(client, server.url).stream()
        stream.when_done(outcomes.append)
        committed.set()
        events, error = await broken(stream)

        assert [event.frame for event in events][:2] == [ROLE, HELLO]
        assert (error.kind, error.provider, error.from_upstream) == (kind, "acme", True)
        assert [outcome.end for outcome in outcomes] == [End.FAILED]


@pytest.mark.parametrize(("idle_s", "total_s", "kind"), [(0.05, 60.0, TIMEOUT_IDLE), (30.0, 0.2, TIMEOUT_TOTAL)])
@pytest.mark.parametrize("seen", [ROLE, HELLO], ids=["before", "after"])
async def test_a_silent_stream_is_given_up(
    client: HttpxClient, seen: bytes, idle_s: float, total_s: float, kind: Kind
) -> None:
    """Silence ends a stream on either side of its commit point, in the gateway's own name, and drops the connection."""
    async with UpstreamServer(always(SSE_HEAD, chunk(seen), Act.HANG)) as server:
        error = await _failure_of(Rig(client, server.url, idle_s), attempt(ASK_STREAM, total_s=total_s))

        await server.connections[0].wait_closed()
        assert (error.kind, error.provider, error.from_upstream) == (kind, "acme", False)


@ENDS
@pytest.mark.parametrize("chunked", [True, False])
async def test_a_stream_cut_anywhere_is_never_complete(client: HttpxClient, end: Act, chunked: bool) -> None:
    """Wherever the connection ends before `[DONE]`, the stream has failed, and nothing of it stays open."""
    frames = HELLO + STOP
    wire = SSE_HEAD + chunk(frames) + chunk(DONE)[:-3] if chunked else CLOSED_HEAD + frames + DONE[:-3]
    answers: list[list[Step]] = [[wire[:cut], end] for cut in range(len(wire))]
    async with UpstreamServer(in_turn(*answers)) as server:
        rig = Rig(client, server.url)
        errors = [await _failure_of(rig, attempt(ASK_STREAM)) for _ in answers]

        assert {error.kind for error in errors} <= {TARGET_UNAVAILABLE, STREAM_BROKEN, BAD_UPSTREAM_REPLY}
        assert server.open == []


async def _failure_of(rig: Rig, asked: Attempt) -> GatewayError:
    """Ask for a stream that must fail, before or after its commit point."""
    try:
        stream = await rig.stream(asked)
    except GatewayError as error:
        return error
    return (await broken(stream))[1]
