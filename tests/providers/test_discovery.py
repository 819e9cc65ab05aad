"""Looking for model servers: what is found, and that nothing which listens on a port can hinder the start."""

from __future__ import annotations

import pytest

from app.providers.client import HttpxClient
from app.providers.discovery import discover
from tests.providers.contract.adapters import closed_port, deaf_server
from tests.support.upstream_server import LAST_CHUNK, SSE_HEAD, Act, Step, UpstreamServer, always, chunk, whole

MODELS = b'{"object":"list","data":[{"id":"llama3.2","object":"model","owned_by":"library"},{"id":"qwen3:8b"}]}'


@pytest.fixture
async def client(client: HttpxClient) -> HttpxClient:
    """Lend a client that has loaded what it loads with its first call, so that the probes' short limit is met."""
    with closed_port() as url:
        await discover({"nobody": url}, client)
    return client


async def test_finds_the_models_of_each_server(client: HttpxClient) -> None:
    """Every server that answers is found with its models, in the order of its own list."""
    async with UpstreamServer(always(whole(MODELS))) as one, UpstreamServer(always(whole(b'{"data":[]}'))) as two:
        found = await discover({"ollama": one.url + "/v1", "vllm": two.url + "/v1"}, client)

        assert found == {"ollama": ("llama3.2", "qwen3:8b"), "vllm": ()}
        assert (one.requests[0].method, one.requests[0].target) == ("GET", "/v1/models")


async def test_reads_a_list_that_comes_in_pieces(client: HttpxClient) -> None:
    """How a list is sent does not matter."""
    async with UpstreamServer(always(SSE_HEAD, chunk(MODELS[:30]), 0.0, chunk(MODELS[30:]), LAST_CHUNK)) as server:
        assert await discover({"box": server.url}, client) == {"box": ("llama3.2", "qwen3:8b")}


async def test_looks_for_nothing(client: HttpxClient) -> None:
    """Without addresses there is nothing to find."""
    assert await discover({}, client) == {}


async def test_silence_and_refusal_are_no_servers(client: HttpxClient) -> None:
    """Ports where nobody listens, nobody accepts or nobody answers are passed over, and the others still found."""
    async with UpstreamServer(always(whole(MODELS))) as good, UpstreamServer(always(Act.HANG)) as mute:
        with closed_port() as closed, deaf_server() as deaf:
            addresses = {"closed": closed, "deaf": deaf, "mute": mute.url, "good": good.url}
            found = await discover(addresses, client)

        await mute.connections[0].wait_closed()
        assert list(found) == ["good"]


@pytest.mark.parametrize(
    "answer",
    [
        [Act.CLOSE],
        [Act.RESET],
        [SSE_HEAD],
        [SSE_HEAD, chunk(MODELS[:30])],
        [whole(MODELS)[:-1]],
        [b"HTTP/1.1 200 OK\r\n\r\n", MODELS],
    ],
    ids=["closed", "reset", "head", "piece", "short", "endless"],
)
async def test_half_an_answer_is_no_server(client: HttpxClient, answer: list[Step]) -> None:
    """A server that breaks off or falls silent in its answer is passed over, and its connection closed."""
    async with UpstreamServer(always(*answer, Act.HANG)) as server:
        assert await discover({"box": server.url}, client) == {}

        await server.connections[0].wait_closed()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"It works!",
        b"null",
        b"[]",
        b"{}",
        b'{"data":{}}',
        b'{"data":["llama"]}',
        b'{"data":[{"id":1}]}',
        b'{"data":[{"name":"llama"}]}',
        b'{"data":[{"id":"\xff"}]}',
        b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b',"data":[]}',
        b'{"data":[' + b'{"id":"m"},' * 200_000 + b'{"id":"m"}]}',
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_other_servers_are_no_model_servers(client: HttpxClient, body: bytes) -> None:
    """Whatever else a program on the port answers, it is passed over."""
    async with UpstreamServer(always(whole(body))) as server:
        assert await discover({"box": server.url}, client) == {}


@pytest.mark.parametrize("status", [301, 401, 404, 500])
async def test_a_refusal_is_no_server(client: HttpxClient, status: int) -> None:
    """Only a success is an answer, even if a list of models stands in something else."""
    async with UpstreamServer(always(whole(MODELS, status))) as server:
        assert await discover({"box": server.url}, client) == {}


async def test_a_server_without_models_is_found(client: HttpxClient) -> None:
    """Ollama writes `null` while no model is pulled; it is there all the same."""
    async with UpstreamServer(always(whole(b'{"object":"list","data":null}'))) as server:
        assert await discover({"ollama": server.url}, client) == {"ollama": ()}
