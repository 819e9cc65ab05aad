"""What the scripts of the scripted provider say, whole and streamed."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.openai.codec import OpenAiCodec
from app.providers.sim import SimUpstream
from app.providers.sim.reply import READ_BYTES
from tests.providers.sim.asking import (
    ListedClock,
    answer,
    asking,
    contents,
    deltas,
    replying,
    says,
    streamed,
    whole,
)
from tests.support import calls


async def test_echo_is_a_whole_chat_completion(sim: SimUpstream) -> None:
    """`echo` answers with the last user message, in the shape of OpenAI's own answers."""
    async with replying(sim, asking("echo")) as reply:
        body = msgspec.json.decode(b"".join([data async for data in reply.chunks()]))

    assert (200, "application/json") == (reply.status, reply.headers["content-type"])
    assert body == {
        "id": "chatcmpl-sim1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "echo",
        "system_fingerprint": "sim",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "one two  three", "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 3,
            "completion_tokens": 3,
            "total_tokens": 6,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    }


async def test_echo_streams_role_words_finish_and_done(sim: SimUpstream) -> None:
    """A stream says the role, then a word an event, then the finish reason, then [DONE], and no usage unasked."""
    events = await streamed(sim, "echo")

    assert [{"role": "assistant", "content": "", "refusal": None}] == list(deltas(events[:1]))
    assert ["one ", "two  ", "three"] == contents(events)
    assert [None] * 4 + ["stop"] == [event["choices"][0]["finish_reason"] for event in events[:-1]]
    assert events[-1] == "[DONE]"
    assert not any("usage" in event for event in events[:-1])


async def test_stream_reports_usage_when_asked(sim: SimUpstream) -> None:
    """With include_usage every chunk has a usage member, filled only in the last, which has no choices."""
    *chunks, last, done = await streamed(sim, "echo", stream_options={"include_usage": True})

    assert [None] * 5 == [chunk["usage"] for chunk in chunks]
    assert ([], 3, "[DONE]") == (last["choices"], last["usage"]["completion_tokens"], done)


@given(text=st.text())
async def test_echo_is_exact_for_any_text(text: str) -> None:
    """However the message is cut into words, the words joined are the message."""
    sim = SimUpstream(ListedClock(), lambda: 0.5)

    events = await streamed(sim, "echo", messages=says(text))
    body = await answer(sim, asking("echo", messages=says(text)))

    assert text == "".join(contents(events))
    assert text == body["choices"][0]["message"]["content"]


async def test_echo_takes_the_text_of_the_last_user_message(sim: SimUpstream) -> None:
    """Parts are joined, other parts than text are passed over, and later messages of other roles do not count."""
    messages = [
        {"role": "user", "content": "first"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "so"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
                {"type": "text", "text": " be it"},
            ],
        },
        {"role": "assistant", "content": None},
    ]

    body = await answer(sim, asking("echo", messages=messages))

    assert "so be it" == body["choices"][0]["message"]["content"]


async def test_no_user_message_is_an_empty_answer(sim: SimUpstream) -> None:
    """Without a user message the answer is empty but complete."""
    events = await streamed(sim, "echo", messages=[])

    assert [] == contents(events)
    assert ("stop", "[DONE]") == (events[-2]["choices"][0]["finish_reason"], events[-1])


@pytest.mark.parametrize(("model", "count"), [("words", 20), ("words?words=3", 3), ("words?words=0", 0)])
async def test_words_are_as_many_as_asked_and_always_the_same(sim: SimUpstream, model: str, count: int) -> None:
    """`words` says a fixed text of the wanted length."""
    first = await answer(sim, asking(model))
    again = await answer(sim, asking(model))

    text = first["choices"][0]["message"]["content"]
    assert (count, count) == (len(text.split()), first["usage"]["completion_tokens"])
    assert text == again["choices"][0]["message"]["content"]


async def test_a_long_stream_lets_others_in_between(sim: SimUpstream, clock: ListedClock) -> None:
    """Without any pause of its own it comes in pieces as a network's, and the loop has a turn after each."""
    async with replying(sim, asking("words?words=2000", stream=True)) as reply:
        pieces = [piece async for piece in reply.chunks()]

    assert max(map(len, pieces)) < 2 * READ_BYTES
    assert clock.slept == [0] * (len(pieces) - 1)
    assert b"".join(pieces).count(b"data: ") == 2003


@pytest.mark.parametrize("limit", ["max_tokens", "max_completion_tokens"])
async def test_token_limit_cuts_the_answer(sim: SimUpstream, limit: str) -> None:
    """An answer is cut at the request's own limit, and says so."""
    body = await answer(sim, asking("echo", **{limit: 2}))
    events = await streamed(sim, "echo", **{limit: 2})
    fitting = await answer(sim, asking("echo", **{limit: 3}))

    choice = body["choices"][0]
    assert ("one two  ", "length", 2) == (
        choice["message"]["content"],
        choice["finish_reason"],
        body["usage"]["completion_tokens"],
    )
    assert (["one ", "two  "], "length") == (contents(events), events[-2]["choices"][0]["finish_reason"])
    assert "stop" == fitting["choices"][0]["finish_reason"]


async def test_choices_follow_n(sim: SimUpstream) -> None:
    """Each choice is told in full, in turns, and counted."""
    body = await answer(sim, asking("echo", n=2))
    events = await streamed(sim, "echo", n=2)

    assert [0, 1] == [choice["index"] for choice in body["choices"]]
    assert 6 == body["usage"]["completion_tokens"]
    assert contents(events, 0) == contents(events, 1) == ["one ", "two  ", "three"]
    assert [0, 1] * 5 == [event["choices"][0]["index"] for event in events[:-1]]


async def test_tool_call_carries_the_message(sim: SimUpstream) -> None:
    """`tool` answers with a call of that tool, whole or in pieces that join to the same arguments."""
    body = await answer(sim, asking("echo?tool=weather", messages=says("Rome, Italy")))
    events = await streamed(sim, "echo?tool=weather", messages=says("Rome, Italy"))

    choice = body["choices"][0]
    (call,) = choice["message"]["tool_calls"]
    pieces = [call for delta in deltas(events) for call in delta.get("tool_calls", ())]
    arguments = "".join(piece["function"]["arguments"] for piece in pieces)
    assert ("tool_calls", None) == (choice["finish_reason"], choice["message"]["content"])
    assert ("weather", {"text": "Rome, Italy"}) == (
        call["function"]["name"],
        msgspec.json.decode(call["function"]["arguments"]),
    )
    assert ("weather", "function", "call_sim2_0") == (
        pieces[0]["function"]["name"],
        pieces[0]["type"],
        pieces[0]["id"],
    )
    assert call["function"]["arguments"] == arguments
    assert "tool_calls" == events[-2]["choices"][0]["finish_reason"]


async def test_reasoning_comes_before_the_answer(sim: SimUpstream) -> None:
    """`reasoning` is thought aloud first, and counted as tokens."""
    body = await answer(sim, asking("echo?reasoning=let me think", messages=says("ok")))
    events = await streamed(sim, "echo?reasoning=let me think", messages=says("ok"))

    said = [next(iter(delta.items())) for delta in deltas(events[1:-2])]
    assert "let me think" == body["choices"][0]["message"]["reasoning_content"]
    assert [3, 4] == [
        body["usage"]["completion_tokens_details"]["reasoning_tokens"],
        body["usage"]["completion_tokens"],
    ]
    assert said == [
        ("reasoning_content", "let "),
        ("reasoning_content", "me "),
        ("reasoning_content", "think"),
        ("content", "ok"),
    ]


async def test_finish_reason_can_be_chosen(sim: SimUpstream) -> None:
    """`finish` overrules the finish reason."""
    body = await answer(sim, asking("echo?finish=content_filter"))

    assert "content_filter" == body["choices"][0]["finish_reason"]


async def test_the_real_codec_reads_a_stream_to_its_end(sim: SimUpstream) -> None:
    """What is sent is a complete answer to the gateway's own OpenAI codec."""
    decoder = OpenAiCodec().decoder(calls.asking())

    events = decoder.feed(await whole(sim, asking("words", stream=True, stream_options={"include_usage": True})))

    usage = [event.chunk.usage for event in events if event.chunk and event.chunk.usage]
    assert decoder.done
    assert [20] == [counted.completion_tokens for counted in usage]
