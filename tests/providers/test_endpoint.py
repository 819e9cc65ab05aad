"""One attempt over a real connection: what goes out, and what the endpoint makes of whole answers and refusals."""

from __future__ import annotations

import gzip
import json

import pytest

from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    INVALID_REQUEST,
    TARGET_FAILED,
    TARGET_MISCONFIGURED,
    TARGET_MODEL_MISSING,
    TARGET_RATE_LIMITED,
    TARGET_UNAVAILABLE,
    TIMEOUT_CONNECT,
    TIMEOUT_IDLE,
    TIMEOUT_TOTAL,
    Kind,
)
from app.providers.client import HttpxClient
from tests.providers.contract.adapters import closed_port, deaf_server
from tests.providers.endpoint_rig import KEY, PROVIDER_HEADERS, Rig, attempt
from tests.support.upstream_server import LAST_CHUNK, SSE_HEAD, Act, Step, UpstreamServer, always, chunk, in_turn, whole

ANSWER = b'{ "choices" : [{"finish_reason":"stop","message":{"content":"Hi"},"future":1.0}],\n "unknown":[1e2] }\n'
ODD = b'{\n"future" : {"model":"x"}, "model"\t:"%b",\r\n "messages":[], "seed":1, "top_k":1.00 }'


async def test_sends_the_clients_own_bytes(client: HttpxClient) -> None:
    """A request for a model of the same name reaches the provider byte for byte."""
    async with UpstreamServer(always(whole(ANSWER))) as server:
        await Rig(client, server.url).whole(attempt(ODD % b"m"))

        (sent,) = server.requests
        assert (sent.method, sent.target, sent.body) == ("POST", "/v1/chat/completions", ODD % b"m")


async def test_exchanges_the_model_and_nothing_else(client: HttpxClient) -> None:
    """Where the provider knows the model under another name, that name is all that differs on the wire."""
    async with UpstreamServer(always(whole(ANSWER))) as server:
        await Rig(client, server.url).whole(attempt(ODD % b"route", model="vendor/big"))

        assert server.requests[0].body == ODD % b"vendor/big"


async def test_sends_the_headers_it_was_given(client: HttpxClient) -> None:
    """The provider sees its configured headers, those that the edge lets through, and nothing that a client adds."""
    given = {"traceparent": "00-1-2-01", "openai-beta": "x=v2"}
    async with UpstreamServer(always(whole(ANSWER))) as server:
        await Rig(client, server.url).whole(attempt(headers=given))

        assert {name.lower(): value for name, value in server.requests[0].headers} == {
            "host": server.url.removeprefix("http://"),
            "content-length": str(len(server.requests[0].body)),
            **dict(PROVIDER_HEADERS),
            **given,
        }


@pytest.mark.parametrize(
    "answer",
    [
        [whole(ANSWER)],
        [
            SSE_HEAD.replace(b"text/event-stream", b"application/json"),
            *map(chunk, (ANSWER[:9], ANSWER[9:])),
            LAST_CHUNK,
        ],
        [b"HTTP/1.1 201 Created\r\n\r\n", ANSWER, Act.CLOSE],
    ],
    ids=["length", "chunks", "close"],
)
async def test_returns_the_providers_own_bytes(client: HttpxClient, answer: list[Step]) -> None:
    """A whole answer comes back as the provider wrote it, however it was sent."""
    async with UpstreamServer(always(*answer)) as server:
        completion = await Rig(client, server.url).whole()

    assert (completion.raw, completion.finish_reasons) == (ANSWER, ("stop",))


async def test_keeps_account_of_the_attempt(client: HttpxClient) -> None:
    """The journal counts the attempt and the time it waited, whether it succeeds or fails."""
    async with UpstreamServer(in_turn([0.01, whole(ANSWER)], [0.01, whole(b"", 500)])) as server:
        good, bad = attempt(), attempt()

        await Rig(client, server.url).whole(good)
        await Rig(client, server.url).failure(bad)

    assert (good.call.journal.attempts, bad.call.journal.attempts) == (1, 1)
    assert good.call.journal.upstream_s > 0 < bad.call.journal.upstream_s


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (301, TARGET_MISCONFIGURED, "The provider answered with status 301."),
        (400, INVALID_REQUEST, "words with ***"),
        (401, TARGET_MISCONFIGURED, "The provider answered with status 401."),
        (404, TARGET_MODEL_MISSING, "'acme' has no model 'big'."),
        (429, TARGET_RATE_LIMITED, "The provider answered with status 429."),
        (500, TARGET_FAILED, "The provider answered with status 500."),
    ],
)
async def test_a_refusal_has_its_kind(client: HttpxClient, status: int, kind: Kind, message: str) -> None:
    """A status is translated, signed with the provider's name, and costs no connection."""
    body = json.dumps({"error": {"message": f"words with {KEY}"}}).encode()
    async with UpstreamServer(always(whole(body, status, "retry-after: 3"))) as server:
        rig = Rig(client, server.url)
        error = await rig.failure(attempt(model="big"))
        await rig.failure()

        assert (error.kind, error.message, error.provider, error.from_upstream) == (kind, message, "acme", True)
        assert error.retry_after_s == (3.0 if kind.retryable else None)
        assert len(server.connections) == 1


HEAD_401 = b"HTTP/1.1 401 Unauthorized\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        [whole(b"x" * 100_000, 401)],
        [HEAD_401, Act.CLOSE],
        [HEAD_401, b'{"error":', Act.RESET],
        [HEAD_401, b'{"error":', Act.HANG],
        [SSE_HEAD.replace(b"200 OK", b"401 No") + b"zz\r\n"],
    ],
    ids=["long", "closed", "reset", "hanging", "garbage"],
)
async def test_a_refusal_counts_although_its_body_fails(client: HttpxClient, answer: list[Step]) -> None:
    """The status is known with the head; a body that is too long or breaks off does not make it another failure."""
    async with UpstreamServer(always(*answer)) as server:
        error = await Rig(client, server.url, idle_s=0.1).failure()

        await server.connections[0].wait_closed()
        assert (error.kind, error.from_upstream) == (TARGET_MISCONFIGURED, True)


async def test_an_error_with_status_200_is_an_error(client: HttpxClient) -> None:
    """A 200 with an `error` inside fails with the error's own kind."""
    async with UpstreamServer(always(whole(b'{"error":{"code":429,"message":"x"}}'))) as server:
        error = await Rig(client, server.url).failure()

    assert (error.kind, error.provider, error.from_upstream) == (TARGET_RATE_LIMITED, "acme", True)


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b'data: {"choices":[]}\n\n'])
async def test_what_is_no_answer_is_refused(client: HttpxClient, answer: bytes) -> None:
    """A 200 without a completion in it is the provider's failure."""
    async with UpstreamServer(always(whole(answer))) as server:
        assert (await Rig(client, server.url).failure()).kind is BAD_UPSTREAM_REPLY


async def test_a_compressed_answer_is_refused(client: HttpxClient) -> None:
    """What could be forwarded to no client is not forwarded: the provider was asked for plain bytes."""
    async with UpstreamServer(always(whole(gzip.compress(ANSWER), 200, "content-encoding: gzip"))) as server:
        assert (await Rig(client, server.url).failure()).kind is BAD_UPSTREAM_REPLY


async def test_a_refused_connection_is_the_targets_failure(client: HttpxClient) -> None:
    """Where nobody listens, the target is unavailable."""
    with closed_port() as url:
        error = await Rig(client, url).failure()

    assert (error.kind, error.provider) == (TARGET_UNAVAILABLE, "acme")


async def test_a_hanging_connection_is_noticed_by_the_gateway(client: HttpxClient) -> None:
    """A connection that is not made in time is the gateway's own finding, not the provider's words."""
    with deaf_server() as url:
        error = await Rig(client, url, connect_s=0.05).failure()

    assert (error.kind, error.provider, error.from_upstream) == (TIMEOUT_CONNECT, "acme", False)


@pytest.mark.parametrize(("idle_s", "total_s", "kind"), [(0.05, 60.0, TIMEOUT_IDLE), (30.0, 0.05, TIMEOUT_TOTAL)])
async def test_a_silent_answer_is_given_up(client: HttpxClient, idle_s: float, total_s: float, kind: Kind) -> None:
    """An answer that stops coming ends with the limit that it broke, and its connection is dropped."""
    async with UpstreamServer(always(whole(ANSWER)[:-5], Act.HANG)) as server:
        error = await Rig(client, server.url, idle_s).failure(attempt(total_s=total_s))

        await server.connections[0].wait_closed()
        assert (error.kind, error.provider, error.from_upstream) == (kind, "acme", False)


@pytest.mark.parametrize("end", [Act.CLOSE, Act.RESET])
async def test_an_answer_cut_anywhere_is_no_answer(client: HttpxClient, end: Act) -> None:
    """A whole answer that lacks any of its bytes is a failure, and its connection is gone."""
    answer = whole(b'{"choices":[{"finish_reason":"stop"}]}')
    answers: list[list[Step]] = [[answer[:cut], end] for cut in range(len(answer))]
    async with UpstreamServer(in_turn(*answers)) as server:
        errors = [await Rig(client, server.url).failure() for _ in answers]

        assert {error.kind for error in errors} == {TARGET_UNAVAILABLE}
        assert server.open == []


async def test_an_answer_without_length_cut_anywhere_is_no_answer(client: HttpxClient) -> None:
    """Where only the connection's end ends the body, the JSON tells that something is missing."""
    head, body = b"HTTP/1.1 200 OK\r\n\r\n", b'{"choices":[{"finish_reason":"stop"}]}'
    answers: list[list[Step]] = [[head + body[:cut], Act.CLOSE] for cut in range(len(body))]
    async with UpstreamServer(in_turn(*answers)) as server:
        errors = [await Rig(client, server.url).failure() for _ in answers]

        assert {error.kind for error in errors} == {BAD_UPSTREAM_REPLY}
