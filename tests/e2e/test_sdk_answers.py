"""The official Python SDK, sync and async, understands every answer that comes through the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import openai
import pytest

from tests.e2e.support.answers import WHOLE, streamed, whole
from tests.e2e.support.upstream import LIMIT_S, Upstream
from tests.support.gateway import LOCAL, GatewayProcess

USER: Any = [{"role": "user", "content": "Say five words, please."}]


@pytest.fixture
async def async_sdk(gateway: GatewayProcess) -> AsyncIterator[openai.AsyncOpenAI]:
    """Talk to the gateway through OpenAI's async client."""
    plain = openai.DefaultAsyncHttpxClient(**LOCAL)
    async with openai.AsyncOpenAI(
        base_url=f"{gateway.url}/v1", api_key="sk-of-the-caller", http_client=plain, timeout=LIMIT_S
    ) as client:
        yield client


def test_whole_answer(sdk: openai.OpenAI) -> None:
    """`create` returns the model's text and its usage."""
    answer = sdk.chat.completions.create(model="sim/echo", messages=USER)

    assert answer.choices[0].message.content == "Say five words, please."
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4


def test_streamed_answer(sdk: openai.OpenAI) -> None:
    """`create(stream=True)` yields the text piece by piece, and the usage where it was asked for."""
    chunks = list(
        sdk.chat.completions.create(
            model="sim/echo", messages=USER, stream=True, stream_options={"include_usage": True}
        )
    )

    assert "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices) == USER[0]["content"]
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 4


def test_stream_helper(sdk: openai.OpenAI) -> None:
    """`.stream()` puts the pieces together."""
    with sdk.chat.completions.stream(model="sim/echo", messages=USER) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()

    assert {"chunk", "content.delta", "content.done"} <= kinds
    assert final.choices[0].message.content == USER[0]["content"]


def test_tool_call(sdk: openai.OpenAI) -> None:
    """A tool call arrives in a whole answer, and piece by piece through `.stream()`."""
    model = "sim/echo?tool=look_up"

    answer = sdk.chat.completions.create(model=model, messages=USER)
    with sdk.chat.completions.stream(model=model, messages=USER) as stream:
        streamed_answer = stream.get_final_completion()

    for choice in (answer.choices[0], streamed_answer.choices[0]):
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls is not None
        function: Any = getattr(choice.message.tool_calls[0], "function", None)
        assert (function.name, function.arguments) == ("look_up", '{"text":"Say five words, please."}')


def test_several_choices(sdk: openai.OpenAI) -> None:
    """`n=2` gives two choices, whole and streamed."""
    answer = sdk.chat.completions.create(model="sim/echo", messages=USER, n=2)
    chunks = list(sdk.chat.completions.create(model="sim/echo", messages=USER, n=2, stream=True))

    assert [choice.index for choice in answer.choices] == [0, 1]
    assert {choice.index for chunk in chunks for choice in chunk.choices} == {0, 1}


def test_unknown_fields_reach_the_caller(sdk: openai.OpenAI, upstream: Upstream) -> None:
    """A field that this gateway has never heard of can be read from the answer."""
    upstream.on("verbatim", whole())

    answer = sdk.chat.completions.create(model="verbatim", messages=USER)

    assert answer.model_extra == {"future": 1.5}


def test_request_id(sdk: openai.OpenAI) -> None:
    """The SDK shows the gateway's request id."""
    answer = sdk.chat.completions.create(model="sim/echo", messages=USER, extra_headers={"x-request-id": "my-id.1"})

    assert answer._request_id == "my-id.1"


def test_lists_models(sdk: openai.OpenAI) -> None:
    """`models.list` shows the routes, what is known of the providers, and what only routes name."""
    listed = [(model.id, model.owned_by) for model in sdk.models.list()]

    routes = [("verbatim", "wizard"), ("pair", "wizard")]
    known = [("sim/echo", "sim"), ("box/deep/er/model", "box")]
    assert listed == [*routes, *known, ("box/verbatim", "box"), ("box/first", "box"), ("box/second", "box")]


@pytest.mark.parametrize("name", ["pair", "sim/echo", "box/deep/er/model", "box/not-listed:free"])
def test_describes_a_model(sdk: openai.OpenAI, name: str) -> None:
    """`models.retrieve` knows every model that can be called, slashes in its name included."""
    model = sdk.models.retrieve(name)

    assert model.id == name
    assert model.object == "model"


def test_refuses_to_describe_a_model_that_is_not_there(sdk: openai.OpenAI) -> None:
    """`models.retrieve` raises what the SDK raises for OpenAI."""
    with pytest.raises(openai.NotFoundError) as raised:
        sdk.models.retrieve("nothing/here")

    assert raised.value.code == "unknown_model"


async def test_async_whole_answer(async_sdk: openai.AsyncOpenAI) -> None:
    """The async client gets whole answers."""
    answer = await async_sdk.chat.completions.create(model="sim/echo", messages=USER)

    assert answer.choices[0].message.content == USER[0]["content"]


async def test_async_streamed_answer(async_sdk: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """The async client gets streams, by `create` and by `.stream()`."""
    upstream.on("verbatim", streamed())

    pieces = [chunk async for chunk in await async_sdk.chat.completions.create(
        model="verbatim", messages=USER, stream=True)]  # fmt: skip
    async with async_sdk.chat.completions.stream(model="verbatim", messages=USER) as stream:
        final = await stream.get_final_completion()

    assert "".join(choice.delta.content or "" for chunk in pieces for choice in chunk.choices) == "one two"
    assert final.choices[0].message.content == "one two"


async def test_async_answers_do_not_wait_for_each_other(async_sdk: openai.AsyncOpenAI, upstream: Upstream) -> None:
    """While one provider is silent, another call is answered."""
    upstream.hold("silent")

    waiting = asyncio.create_task(async_sdk.chat.completions.create(model="box/silent", messages=USER))
    held = await asyncio.to_thread(upstream.take, "silent")
    quick = await async_sdk.chat.completions.create(model="sim/echo", messages=USER)
    held.answer(WHOLE)
    slow = await waiting

    assert quick.choices[0].message.content == USER[0]["content"]
    assert slow.choices[0].message.content == "one two"


async def test_many_streams_at_once(async_sdk: openai.AsyncOpenAI) -> None:
    """Fifty callers get fifty answers, each its own."""

    async def said(text: str) -> str:
        messages: Any = [{"role": "user", "content": text}]
        stream = await async_sdk.chat.completions.create(
            model="sim/echo?tokens_per_s=50", messages=messages, stream=True
        )
        return "".join([choice.delta.content or "" async for chunk in stream for choice in chunk.choices])

    texts = [f"answer number {number} of fifty" for number in range(50)]

    assert await asyncio.gather(*map(said, texts)) == texts
