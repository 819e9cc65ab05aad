"""
Answers that go to a client in its dialect and are read there: what was said is what is heard, whole and streamed.

The codec that reads a dialect behind the gateway is the client here, so that a dialect in front is its inverse.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import zip_longest
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.dialects.anthropic.answer import message_of
from app.api.dialects.anthropic.stream import MessageEvents
from app.api.dialects.responses.answer import Frame, response_of
from app.api.dialects.responses.stream import ResponseEvents
from app.core.model import ChatRequest, Completion, StreamEvent
from app.core.ports import Codec
from app.providers.canonical.stamps import Mint
from app.providers.openai.codec import OpenAiCodec
from app.providers.registry import CODECS, Build
from tests.dialects.talking import ARGUMENTS, ENCRYPTED, SIGNED, TEXT, WORD, Json, request
from tests.providers.conformance.corpus import put_together

SLOW = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
ASKED: ChatRequest = request({"messages": [{"role": "user", "content": "x"}]})
USAGE = st.builds(
    lambda fresh, cached, said, thought: {
        "prompt_tokens": fresh + cached,
        "completion_tokens": said + thought,
        "total_tokens": fresh + cached + said + thought,
        "prompt_tokens_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": thought},
    },
    *[st.integers(0, 99)] * 4,
)


class Front(NamedTuple):
    """A dialect in front: how it writes whole answers and events, and whose codec reads them."""

    kind: str
    whole: Callable[[Completion], bytes]
    events: Callable[[list[StreamEvent]], bytes]

    @property
    def codec(self) -> Codec:
        """Return the codec of this dialect, as a client."""
        return CODECS[self.kind](Build(Mint(lambda: 0.0, lambda: 0.5)))


FRONTS = {
    "messages": Front(
        "anthropic",
        lambda completion: message_of(completion, "msg_1", "m"),
        lambda events: MessageEvents("msg_1", "m").events(events),
    ),
    "responses": Front(
        "openai-responses",
        lambda completion: response_of(completion, Frame("1", b"{}", 1), "m"),
        lambda events: ResponseEvents(Frame("1", b"{}", 1), "m").events(events),
    ),
}


class Said(NamedTuple):
    """An answer, and how its arguments come in a stream: `turns` says whether those of several calls take turns."""

    message: Json
    finish: str
    usage: Json
    turns: bool


@st.composite
def answers(draw: st.DrawFn, thoughts: st.SearchStrategy[Json]) -> Said:
    """Return answers."""
    names = draw(st.lists(WORD, max_size=3, unique=True))
    calls = [
        {"id": f"call_{name}", "type": "function", "function": {"name": name, "arguments": draw(ARGUMENTS)}}
        for name in names
    ]
    text = draw(TEXT | st.none()) if calls else draw(TEXT)
    message: Json = {"role": "assistant", "content": text, "refusal": None, **draw(thoughts)}
    if calls:
        message["tool_calls"] = calls
    finish = "tool_calls" if calls else draw(st.sampled_from(["stop", "length", "content_filter"]))
    return Said(message, finish, draw(USAGE), draw(st.booleans()))


def whole(said: Said) -> Completion:
    """Return the answer as OpenAI's servers send it."""
    choice = {"index": 0, "message": said.message, "finish_reason": said.finish, "logprobs": None}
    head = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    return OpenAiCodec().decode(json.dumps({**head, "choices": [choice], "usage": said.usage}).encode(), ASKED)


def pieces(said: Said) -> list[Json]:
    """Return the deltas of the answer."""
    message = said.message
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    if "reasoning_content" in message:
        deltas += [{"reasoning_content": letter} for letter in message["reasoning_content"]]
        deltas += [{"reasoning_details": message["reasoning_details"]}]
    deltas += [{"content": letter} for letter in message["content"] or ""]
    told = [list(_call_pieces(index, call)) for index, call in enumerate(message.get("tool_calls", ()))]
    in_order = zip_longest(*told) if said.turns else told
    return [*deltas, *[{"tool_calls": [piece]} for some in in_order for piece in some if piece is not None]]


def _call_pieces(index: int, call: Json) -> list[Json]:
    name, arguments = call["function"]["name"], call["function"]["arguments"]
    first = {"index": index, "id": call["id"], "type": "function", "function": {"name": name, "arguments": ""}}
    return [first, *[{"index": index, "function": {"arguments": letter}} for letter in arguments]]


def streamed(said: Said) -> list[StreamEvent]:
    """Return the answer as OpenAI's servers stream it."""
    choices: list[list[Json]] = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in pieces(said)]
    choices.append([{"index": 0, "delta": {}, "finish_reason": said.finish}])
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    bodies = [*[{**head, "choices": choice} for choice in choices], {**head, "choices": [], "usage": said.usage}]
    frames = [b"data: " + json.dumps(body).encode() + b"\n\n" for body in bodies]
    return OpenAiCodec().decoder(ASKED).feed(b"".join([*frames, b"data: [DONE]\n\n"]))


def counted(usage: Any) -> tuple[int, ...]:  # noqa: ANN401 - a usage, or None that fails
    """Return what both sides count."""
    return usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.reasoning_tokens


def heard_whole(front: Front, said: Said) -> tuple[Json, str, tuple[int, ...]]:
    """Return message, finish reason and usage as a client of the dialect reads them."""
    heard = front.codec.decode(front.whole(whole(said)), ASKED)
    (choice,) = json.loads(heard.raw)["choices"]
    return choice["message"], choice["finish_reason"], counted(heard.usage)


def exactly(message: Json) -> Json:
    """Return a message whose arguments are objects, as how their JSON is spaced means nothing."""
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, **({"tool_calls": calls} if calls else {})}


def expected(said: Said) -> tuple[Json, str, tuple[int, ...]]:
    """Return what must be heard."""
    completion = whole(said)
    return exactly(said.message), said.finish, counted(completion.usage)


def thoughts_of(name: str) -> st.SearchStrategy[Json]:
    """Return thoughts that are a dialect's own."""
    return SIGNED if name == "messages" else ENCRYPTED


@pytest.mark.parametrize("name", FRONTS)
@SLOW
@given(data=st.data())
def test_whole(name: str, data: st.DataObject) -> None:
    """Text, thoughts with their signatures, calls, why it ended and what it took are read as they were said."""
    said = data.draw(answers(thoughts_of(name)))

    message, finish, usage = heard_whole(FRONTS[name], said)

    assert (exactly(message), finish, usage) == expected(said)


@pytest.mark.parametrize("name", FRONTS)
@SLOW
@given(data=st.data())
def test_streamed(name: str, data: st.DataObject) -> None:
    """A stream is read as the whole answer is, also where arguments of several calls come in turn."""
    said, front = data.draw(answers(thoughts_of(name))), FRONTS[name]
    decoder = front.codec.decoder(ASKED)

    events = decoder.feed(front.events(streamed(said)))

    assert decoder.done
    heard = put_together(events)[0]
    message, finish, usage = expected(said)
    assert (heard["text"], heard["thoughts"]) == (message["content"] or "", message.get("reasoning_content", ""))
    calls = [(call["id"], call["name"], json.loads(call["arguments"] or "{}")) for call in heard["calls"].values()]
    given = [(each["id"], each["function"]) for each in message.get("tool_calls", ())]
    assert calls == [(key, called["name"], called["arguments"]) for key, called in given]
    assert heard["finish"] == finish
    assert [counted(event.chunk.usage) for event in events if event.chunk and event.chunk.usage][-1] == usage


@pytest.mark.parametrize("name", FRONTS)
@SLOW
@given(data=st.data())
def test_blocks_come_one_at_a_time(name: str, data: st.DataObject) -> None:
    """No piece of a block follows its end, and none of another comes before it: clients take what ended for whole."""
    said = data.draw(answers(thoughts_of(name)))

    written = FRONTS[name].events(streamed(said))

    opened: int | None = None
    for frame in written.decode().split("\n\n")[:-1]:
        event = json.loads(frame.partition("data: ")[2])
        place = event.get("index", event.get("output_index"))
        if event["type"] in {"content_block_start", "response.output_item.added"}:
            assert opened is None
            opened = place
        elif place is not None:
            assert opened == place
        if event["type"] in {"content_block_stop", "response.output_item.done"}:
            opened = None
