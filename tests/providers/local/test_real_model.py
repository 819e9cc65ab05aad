"""The built-in model itself, reached as the gateway reaches it; skipped where its wheels are not installed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import psutil
import pytest
import pytest_asyncio

from app.core.clock import SystemClock
from app.core.errors import CONTEXT_TOO_LONG, INVALID_REQUEST
from app.core.model import Completion, StreamEvent
from app.core.ports import HttpRequest, UpstreamClient, UpstreamReply
from app.providers.client import HttpxClient
from app.providers.local import wheels
from app.providers.local.supervisor import LocalModel
from app.providers.local.upstream import LocalUpstream
from app.providers.openai.codec import OpenAiCodec
from tests.providers.local.children import LONG_S, Ear, alive
from tests.support import calls

pytestmark = [
    pytest.mark.skipif(wheels.missing() is not None, reason=f"no built-in model: {wheels.missing()}"),
    pytest.mark.asyncio(loop_scope="module"),
]

ROOT = Path(__file__).parents[3]
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
# A gateway in a few lines: starts the model, says that it serves, and lives until it is killed.
GATEWAY = """
import asyncio, sys
from app.core.clock import SystemClock
from app.providers.local.supervisor import LocalModel
from app.providers.local.wheels import child_command

async def main():
    model = LocalModel(child_command(), SystemClock(), print)
    model.start()
    print((await model.address(60)).url, flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[HttpxClient]:
    """Yield the gateway's own HTTP client."""
    client = HttpxClient()
    yield client
    await client.aclose()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def model() -> AsyncIterator[LocalModel]:
    """Yield the running model, one for all tests."""
    async with alive(wheels.child_command(), SystemClock(), Ear()) as model:
        await model.address(60)
        yield model


@pytest.fixture
def local(model: LocalModel, client: HttpxClient) -> UpstreamClient:
    """Return the client for the model."""
    return LocalUpstream(model, client)


def asking(**fields: object) -> HttpRequest:
    """Return a chat request that is answered briefly."""
    messages = [{"role": "user", "content": "Say hello."}]
    body = {"model": "smollm2", "messages": messages, "max_tokens": 8, **fields}
    headers = (("content-type", "application/json"),)
    return HttpRequest("POST", "http://local/v1/chat/completions", headers, msgspec.json.encode(body), LONG_S)


async def read(reply: UpstreamReply) -> bytes:
    """Return the whole body."""
    try:
        return b"".join([data async for data in reply.chunks()])
    finally:
        await reply.aclose()


async def answer(local: UpstreamClient, request: HttpRequest) -> Completion:
    """Return a whole answer, as the codec of the provider sees it."""
    reply = await local.send(request)
    body = await read(reply)
    assert (200, "application/json; charset=utf-8") == (reply.status, reply.headers["content-type"])
    return OpenAiCodec().decode(body, calls.asking())


async def streamed(local: UpstreamClient, request: HttpRequest) -> list[StreamEvent]:
    """Return the events of a stream that came to its proper end."""
    reply = await local.send(request)
    body = await read(reply)
    decoder = OpenAiCodec().decoder(calls.asking())
    events = decoder.feed(body)
    assert (200, "text/event-stream", True) == (reply.status, reply.headers["content-type"], decoder.done)
    return events


def children_of(pid: int) -> list[psutil.Process]:
    """Return the processes of built-in models that `pid` started."""
    return [child for child in psutil.Process(pid).children() if any("child.py" in part for part in child.cmdline())]


async def test_whole_answer(local: UpstreamClient) -> None:
    """An answer has text, a finish reason and usage."""
    completion = await answer(local, asking())

    body = msgspec.json.decode(completion.raw)
    assert body["choices"][0]["message"]["content"]
    assert "smollm2" == body["model"]
    assert completion.finish_reasons in {("stop",), ("length",)}
    assert completion.usage is not None
    assert 0 < completion.usage.completion_tokens <= 8


async def test_streamed_answer(local: UpstreamClient) -> None:
    """A stream has frames that are forwarded as they are, a finish reason, usage when asked, and [DONE]."""
    events = await streamed(local, asking(stream=True, stream_options={"include_usage": True}))

    text = "".join(
        str(choice.delta.content)
        for event in events
        if event.chunk
        for choice in event.chunk.choices
        if choice.delta.content
    )
    assert text
    assert all(event.frame and event.frame.startswith(b"data: ") for event in events)
    assert [True] == [event.chunk.usage is not None for event in events[-2:-1] if event.chunk]


@pytest.mark.parametrize(
    "fields",
    [
        {"logprobs": True, "top_logprobs": 2},
        {"response_format": {"type": "json_object"}},
        {"tools": TOOLS, "tool_choice": "auto"},
        {"tools": TOOLS, "tool_choice": "required"},
        {"n": 2, "seed": 1, "stop": ["\n"], "user": "someone", "metadata": {"a": "b"}, "future": [None]},
    ],
)
async def test_demanding_requests_are_answered(local: UpstreamClient, fields: dict[str, object]) -> None:
    """What clients may ask for besides text does not bring the model down, whole or streamed."""
    completion = await answer(local, asking(**fields))
    events = await streamed(local, asking(stream=True, **fields))

    assert completion.finish_reasons
    assert events[-1].done


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"messages": [{"role": "user", "content": "word " * 3000}]}, CONTEXT_TOO_LONG),
        ({"messages": "nobody"}, INVALID_REQUEST),
        ({"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "?"}}}}, INVALID_REQUEST),
    ],
)
async def test_refusals_are_understood(local: UpstreamClient, fields: dict[str, object], kind: object) -> None:
    """What the model cannot do is refused in words that the codec understands."""
    reply = await local.send(asking(stream=True, **fields))

    error = OpenAiCodec().error(reply.status, reply.headers, await read(reply), 0.0)

    assert kind is error.kind


async def test_leaving_stops_the_computation(local: UpstreamClient) -> None:
    """A client that leaves frees the model: more long answers than there are slots do not keep the next waiting."""
    for _ in range(4):
        reply = await local.send(asking(max_tokens=2000, ignore_eos=True, stream=True))
        await anext(reply.chunks())
        await reply.aclose()

    async with asyncio.timeout(LONG_S):
        completion = await answer(local, asking(max_tokens=1))

    assert completion.finish_reasons


async def test_only_the_gateway_is_served(model: LocalModel, client: HttpxClient) -> None:
    """Another program on this machine, or a web page, does not know the key."""
    address = await model.address(LONG_S)
    request = asking()
    stranger = HttpRequest("POST", f"{address.url}/v1/chat/completions", request.headers, request.body, LONG_S)

    reply = await client.send(stranger)
    await reply.aclose()

    assert 401 == reply.status


async def test_signals_for_the_gateway_are_not_for_the_model(model: LocalModel) -> None:
    """Ctrl-C reaches every process of the terminal; the model waits until the gateway ends it."""
    (child,) = children_of(os.getpid())
    before = await model.address(LONG_S)

    child.send_signal(signal.SIGINT)
    child.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.2)

    assert before == await model.address(0)
    assert child.is_running()


async def test_two_gateways_have_a_model_each(model: LocalModel, client: HttpxClient) -> None:
    """A second gateway on the same machine has its own model, which comes back when it is killed."""
    ear = Ear()
    async with alive(wheels.child_command(), SystemClock(), ear) as second:
        before = await second.address(LONG_S)
        _, child = sorted(children_of(os.getpid()), key=psutil.Process.create_time)

        child.kill()
        await ear.hears("died")
        after = await second.address(LONG_S)
        completion = await answer(LocalUpstream(second, client), asking(max_tokens=1))

    assert 3 == len({address.key for address in (await model.address(0), before, after)})
    assert completion.finish_reasons


async def test_model_does_not_outlive_a_killed_gateway() -> None:
    """Whatever kills the gateway, the model's process ends by itself."""
    gateway = await asyncio.create_subprocess_exec(
        sys.executable, "-c", GATEWAY, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert gateway.stdout is not None
    await gateway.stdout.readline()
    (child,) = children_of(gateway.pid)

    gateway.kill()
    await gateway.wait()
    _, alive = await asyncio.to_thread(psutil.wait_procs, [child], LONG_S)

    assert not alive
