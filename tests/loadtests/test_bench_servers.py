"""What the mock, the floor and the naive proxy answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest

from loadtests import fixed, messages
from loadtests.naive import create_app
from tests.support.gateway import LOCAL

CHAT = "/v1/chat/completions"


@pytest.fixture(params=["mock", "floor", "naive"])
async def server(request: pytest.FixtureRequest, mock_port: int, floor_port: int) -> AsyncIterator[httpx2.AsyncClient]:
    """Connect to the mock, straight or through one of the two proxies."""
    if request.param != "naive":
        port = mock_port if request.param == "mock" else floor_port
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            yield client
        return
    app = create_app(f"http://127.0.0.1:{mock_port}/v1")
    transport = httpx2.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


async def test_answers_with_a_completion(server: httpx2.AsyncClient) -> None:
    """
    A unary request gets the mock's completion, usage included.
    """
    body = messages.chat_request("bench")

    answer = await server.post(CHAT, content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 200
    assert answer.json()["choices"][0]["finish_reason"] == "stop"
    assert answer.json()["usage"]["total_tokens"] == 131


async def test_keeps_the_connection_for_the_next_request(server: httpx2.AsyncClient) -> None:
    """
    Several requests, unary and streamed in turn, work on one client.
    """
    bodies = [messages.chat_request("bench", tokens=tokens) for tokens in (None, 2, None, 3)]

    answers = [await server.post(CHAT, content=body, headers={"content-type": "application/json"}) for body in bodies]

    assert [answer.status_code for answer in answers] == [200] * 4
    assert [answer.content.count(messages.STAMP) for answer in answers] == [0, 2, 0, 3]


async def test_streams_role_tokens_finish_usage_and_end_mark_in_that_order(server: httpx2.AsyncClient) -> None:
    """
    A stream has the frames of an OpenAI stream, as many content chunks as `max_tokens`, and ends properly.
    """
    body = messages.chat_request("bench", tokens=3)

    answer = await server.post(CHAT, content=body, headers={"content-type": "application/json"})

    frames = answer.text.split("\n\n")
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert '"role":"assistant"' in frames[0]
    assert ["@t=" in frame for frame in frames[1:4]] == [True] * 3
    assert '"finish_reason":"stop"' in frames[4]
    assert '"completion_tokens":3' in frames[5]
    assert frames[6:] == ["data: [DONE]", ""]


async def test_mock_sends_usage_only_when_asked(mock_port: int) -> None:
    """
    Without `include_usage` the mock's stream has no usage frame, like OpenAI's.
    """
    body = {"model": "mock-small", "messages": [], "stream": True}

    async with httpx2.AsyncClient(**LOCAL) as client:
        answer = await client.post(f"http://127.0.0.1:{mock_port}{CHAT}", json=body)

    assert answer.content.count(messages.STAMP) == 5
    assert b'"usage"' not in answer.content
    assert answer.content.endswith(messages.SSE_DONE)


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/models", b"", 200),
        ("GET", "/nowhere", b"", 404),
        ("POST", CHAT, b'{"model":', 400),
        ("POST", CHAT, b'{"stream": "perhaps"}', 400),
    ],
)
async def test_mock_knows_its_paths(mock_port: int, method: str, path: str, body: bytes, status: int) -> None:
    """
    The mock lists its model, and refuses unknown paths and bad bodies.
    """
    async with httpx2.AsyncClient(**LOCAL) as client:
        answer = await client.request(method, f"http://127.0.0.1:{mock_port}{path}", content=body)

    assert answer.status_code == status


@pytest.mark.parametrize(("body", "status"), [(b'{"model": "other"}', 404), (b'["bench"]', 404), (b"{", 400)])
async def test_floor_refuses_what_it_cannot_route(floor_port: int, body: bytes, status: int) -> None:
    """
    The floor decodes the body for real: an unknown model or broken JSON is refused, not relayed.
    """
    async with httpx2.AsyncClient(**LOCAL) as client:
        answer = await client.post(f"http://127.0.0.1:{floor_port}{CHAT}", content=body)

    assert answer.status_code == status


async def test_fixed_app_answers_with_the_completion() -> None:
    """
    The app behind the server's share sends the same bytes as the mock.
    """
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(fixed.app), base_url="http://x") as client:
        answer = await client.post(CHAT, content=b"{}")

    assert answer.content == messages.completion()
