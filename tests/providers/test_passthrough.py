"""What is passed on as it is: signatures, several keys, and answers that cannot be."""

from __future__ import annotations

import msgspec
import pytest

from app.core.bodies import Upload
from app.core.call import Attempt, Target
from app.core.clock import SystemClock
from app.core.errors import (
    BAD_UPSTREAM_REPLY,
    BODY_TOO_LARGE,
    INVALID_REQUEST,
    TARGET_MISCONFIGURED,
    TARGET_RATE_LIMITED,
    GatewayError,
    Kind,
)
from app.core.model import Completion, Operation, PlainRequest, Weight
from app.core.ports import HttpRequest, Signer, UpstreamClient
from app.core.provider_keys import Key, KeyPool
from app.core.stream import CommitRule
from app.core.usage import Usage
from app.providers.endpoint import Provider, ReadingOptions
from app.providers.keyring import KeyRing
from app.providers.openai.codec import OpenAiCodec
from app.providers.passthrough import PassCodec, PassEndpoint, passing
from app.providers.passthrough_usage import LOOKED_MAX_BYTES
from app.providers.pool import PoolClient
from tests.providers.contract.test_uploads import Given
from tests.providers.pool.conftest import pool  # noqa: F401 - a fixture
from tests.support.calls import a_call, chat_request
from tests.support.upstream_server import LAST_CHUNK, UpstreamServer, always, chunk, in_turn, whole

READING = ReadingOptions(5.0, 30.0, CommitRule(Weight.THOUGHT, 65_536))
BOUND = 100


class Signing:
    """A signer whose signature is the length of the body."""

    async def sign(self, request: HttpRequest) -> HttpRequest:
        """Sign."""
        return msgspec.structs.replace(
            request, headers=(*request.headers, ("x-signed", f"{len(request.body)} {request.upload is None}"))
        )


def endpoint(
    url: str, client: UpstreamClient, *, signer: Signer | None = None, keys: KeyRing | None = None
) -> PassEndpoint:
    """Return what passes requests on to a provider."""
    headers = (("content-type", "application/json"), ("accept-encoding", "identity"))
    provider = Provider("acme", f"{url}/v1", headers, OpenAiCodec(), client, keys=keys, signer=signer)
    return PassEndpoint(passing(provider, "{path}"), READING, SystemClock(), BOUND)


def asked(upload: Upload | None = None, raw: bytes = b"") -> Attempt:
    """Return an attempt with a body."""
    request = PlainRequest(Operation.PASS, "acme/*", raw, path="/things", media_type="x/y", upload=upload)
    return Attempt(a_call(request, started=SystemClock().now()), Target("acme", "*"), last=True)


async def failure(passed: PassEndpoint, attempt: Attempt) -> GatewayError:
    """Pass on what must fail."""
    with pytest.raises(GatewayError) as caught:
        await passed(attempt)
    return caught.value


async def test_what_is_signed_is_held(pool: PoolClient) -> None:  # noqa: F811 - the fixture
    """A signature may be one over the body, which is read first; a body of another kind is signed as it is."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        passed = endpoint(server.url, pool, signer=Signing())

        replies = [await passed(asked(Given(b"abc", b"def"))), await passed(asked(raw=b"xy"))]

        assert all(isinstance(reply.body, Completion) for reply in replies)
        assert [(sent.body, sent.header("x-signed")) for sent in server.requests] == [
            (b"abcdef", "6 True"),
            (b"xy", "2 True"),
        ]


async def test_a_signature_comes_back_to_nobody(pool: PoolClient) -> None:  # noqa: F811 - the fixture
    """What was made for one request is as secret as a key that is the same for all, in answers and in refusals."""

    class Fresh:
        async def sign(self, request: HttpRequest) -> HttpRequest:
            return msgspec.structs.replace(request, headers=(*request.headers, ("authorization", "Bearer fresh-token")))

    said = b'{"error":{"message":"fresh-token is odd"}}'
    async with UpstreamServer(in_turn((whole(said),), (whole(said, 422),))) as server:
        passed = endpoint(server.url, pool, signer=Fresh())

        reply, error = await passed(asked()), await failure(passed, asked())

        assert isinstance(reply.body, Completion)
        assert reply.body.raw == said.replace(b"fresh-token", b"***********")
        assert (error.message, error.upstream_status) == ("*** is odd", 422)


async def test_what_is_signed_has_the_bound_of_what_is_held(pool: PoolClient) -> None:  # noqa: F811 - the fixture
    """More than may be held cannot be signed."""
    async with UpstreamServer(always(whole(b"{}"))) as server:
        error = await failure(endpoint(server.url, pool, signer=Signing()), asked(Given(bytes(BOUND + 1))))

        assert (error.kind, error.from_upstream, server.requests) == (BODY_TOO_LARGE, False, [])


async def test_an_upload_is_sent_with_one_key_only(pool: PoolClient) -> None:  # noqa: F811 - the fixture
    """What was read cannot be sent with the next key; a body that is held can."""
    limited = whole(b"{}", 429)
    async with UpstreamServer(in_turn((limited,), (limited,), (whole(b"{}"),))) as server:
        keys = KeyPool([Key(f"k{number}") for number in range(3)])
        ring = KeyRing("acme", keys, SystemClock(), lambda _signal: None)
        passed = endpoint(server.url, pool, keys=ring)

        error = await failure(passed, asked(Given(b"abc", length=3)))
        await passed(asked(raw=b"xy"))

        assert error.kind is TARGET_RATE_LIMITED
        assert [(sent.body, sent.header("authorization")) for sent in server.requests] == [
            (b"abc", "Bearer k0"),
            (b"xy", "Bearer k1"),
            (b"xy", "Bearer k2"),
        ]


async def test_an_answer_that_only_the_gateway_could_unpack(pool: PoolClient) -> None:  # noqa: F811 - the fixture
    """It was asked not to be compressed."""
    async with UpstreamServer(always(whole(b"{}", 200, "content-encoding: gzip"))) as server:
        error = await failure(endpoint(server.url, pool), asked(raw=b"xy"))

        assert error.kind is BAD_UPSTREAM_REPLY


@pytest.mark.parametrize("size", [10, LOOKED_MAX_BYTES + 70_000])
async def test_a_document_of_unknown_length(pool: PoolClient, size: int) -> None:  # noqa: F811 - the fixture
    """A small one is read, so that its cost is known in time; a large one is passed on from where reading stopped."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
    document = b'{"usage":{"prompt_tokens":3,"completion_tokens":4}, "more":"%b"}' % (b"x" * size)
    pieces = [chunk(document[start : start + 50_000]) for start in range(0, len(document), 50_000)]
    async with UpstreamServer(always(head, *pieces, LAST_CHUNK)) as server:
        body = (await endpoint(server.url, pool)(asked(raw=b"xy"))).body

        if isinstance(body, Completion):
            assert (size, body.raw, body.usage) == (10, document, Usage(3, 4, 7))
        else:
            events = [event async for batch in body for event in batch]
            assert b"".join(event.frame for event in events) == document


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (400, b'{"error":"plain words"}', INVALID_REQUEST, "plain words"),
        (418, b'{"message":"short and stout"}', INVALID_REQUEST, "short and stout"),
        (400, b"<html>", INVALID_REQUEST, "status 400"),
        (403, b'{"error":{"message":"sk-secret may not"}}', TARGET_MISCONFIGURED, ""),
    ],
)
def test_refusals(status: int, body: bytes, kind: Kind, said: str) -> None:
    """Words are passed on only where the request is to blame, in whatever form they come."""
    error = PassCodec(OpenAiCodec(), "/v1", "{path}").error(status, {}, body, 0.0)

    assert error.kind is kind
    assert said in error.message
    assert "sk-secret" not in error.message


def test_only_what_was_written_for_the_provider() -> None:
    """A chat has to be encoded, which is another codec's work."""
    with pytest.raises(TypeError):
        PassCodec(OpenAiCodec(), "", "{path}").encode(chat_request(b'{"model":"m","messages":[]}'), Target("acme", "m"))
