"""
Requests that go through a dialect and come back: nothing is lost that the dialect can carry.

The codec behind the gateway writes what the dialect in front of it reads, so that one is the other's inverse.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.api.dialects.anthropic.request import MessagesReader
from app.api.dialects.responses.request import ResponsesReader
from app.core.call import Target
from app.core.model import ChatFields, ChatRequest
from app.providers.anthropic.codec import AnthropicCodec
from app.providers.canonical.mint import Mint
from app.providers.openai import OpenAiCodec
from app.providers.responses.codec import ResponsesCodec

Json = dict[str, Any]
MINT = Mint(wall=lambda: 0.0, chance=lambda: 0.5)
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9).filter(
    lambda text: text == text.strip()
)
WORD = st.from_regex("[a-z]{1,6}", fullmatch=True)
MARK = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
SCHEMA = st.just({"type": "object", "properties": {"a": {"type": "string"}}})
ARGUMENTS = st.dictionaries(WORD, st.integers(0, 9) | TEXT, max_size=2).map(json.dumps)
EFFORTS = st.sampled_from(["low", "medium", "high"])


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Return objects with some of these members."""
    return st.fixed_dictionaries({}, optional=members)


def text_part(marks: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Return parts of text."""
    return st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, TEXT, marks)


def parts(marks: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Return what a user can say."""
    addresses = st.sampled_from(["https://example.org/a.png", "data:image/png;base64,iVBORw0KGgo="])
    pictures = st.builds(lambda url: {"type": "image_url", "image_url": {"url": url}}, addresses)
    files = st.builds(
        lambda name: {"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBERi0="}},
        WORD,
    )
    return text_part(marks) | pictures | files


def simplest(content: list[Json]) -> str | list[Json]:
    """Return a single plain text as text, as both sides write it."""
    if len(content) == 1 and content[0].keys() == {"type", "text"}:
        return content[0]["text"]  # type: ignore[no-any-return]
    return content


def calls(count: int) -> st.SearchStrategy[list[Json]]:
    """Return tool calls with ids of their own."""
    ids = st.lists(WORD.map(lambda word: f"call_{word}"), min_size=count, max_size=count, unique=True)
    return st.builds(
        lambda ids, names, arguments: [
            {"id": key, "type": "function", "function": {"name": name, "arguments": text}}
            for key, name, text in zip(ids, names, arguments, strict=True)
        ],
        ids,
        st.lists(WORD, min_size=count, max_size=count),
        st.lists(ARGUMENTS, min_size=count, max_size=count),
    )


@st.composite
def talks(draw: st.DrawFn, thoughts: st.SearchStrategy[Json], marks: st.SearchStrategy[Json]) -> list[Json]:
    """Return conversations whose turns take turns."""
    messages: list[Json] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    for _ in range(draw(st.integers(1, 2))):
        messages.append({"role": "user", "content": simplest(draw(st.lists(parts(marks), min_size=1, max_size=3)))})
        called = draw(calls(draw(st.integers(0, 2))))
        answer: Json = {"role": "assistant", "content": draw(TEXT), **draw(thoughts)}
        if called:
            answer["tool_calls"] = called
        messages.append(answer)
        for call in called:
            result = simplest(draw(st.lists(text_part(marks), min_size=1, max_size=2)))
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result})
    messages.append({"role": "user", "content": draw(TEXT)})
    return messages


def tools(marks: st.SearchStrategy[Json], strict: st.SearchStrategy[Json]) -> st.SearchStrategy[list[Json]]:
    """Return tools that can be offered."""
    function = st.builds(
        lambda name, about, schema, more: {"name": name, "description": about, "parameters": schema, **more},
        WORD,
        TEXT,
        SCHEMA,
        strict,
    )
    tool = st.builds(lambda function, mark: {"type": "function", "function": function, **mark}, function, marks)
    return st.lists(tool, min_size=1, max_size=2)


CHOICES = st.sampled_from(["auto", "required", "none", {"type": "function", "function": {"name": "f"}}])
OFFERS = st.sampled_from([{}, {"parallel_tool_calls": False}])
SIGNED = st.sampled_from(
    [
        {},
        {
            "reasoning_content": "Hm.",
            "reasoning_details": [
                {"type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "format": "anthropic-claude-v1"},
                {"type": "reasoning.encrypted", "data": "aGk=", "format": "anthropic-claude-v1"},
            ],
        },
    ]
)
ENCRYPTED = st.sampled_from(
    [
        {},
        {
            "reasoning_content": "Sum.",
            "reasoning_details": [
                {"type": "reasoning.summary", "summary": "Sum.", "id": "rs_1", "format": "openai-responses-v1"},
                {"type": "reasoning.encrypted", "data": "gAAA", "id": "rs_1", "format": "openai-responses-v1"},
            ],
        },
    ]
)
FORM = st.builds(
    lambda schema: {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}, SCHEMA
)


def request(body: Json) -> ChatRequest:
    """Return a request as the edge reads it."""
    raw = json.dumps({"model": "m", **body}).encode()
    return ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)


def told(found: ChatRequest) -> Json:
    """Return a body without what only the transport needs."""
    body: Json = json.loads(found.raw)
    del body["model"]
    body.pop("stream_options", None)
    return body


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    talks(SIGNED, MARK),
    st.fixed_dictionaries({"max_tokens": st.integers(2000, 9000)}),
    optional(temperature=st.sampled_from([0.0, 0.5, 1.0]), top_k=st.integers(1, 9), stop=st.lists(WORD, min_size=1)),
    optional(user=WORD, response_format=FORM, service_tier=st.sampled_from(["auto", "default"])),
    st.none() | st.tuples(tools(MARK, st.just({"strict": True}) | st.just({})), CHOICES, OFFERS),
)
def test_messages(talk: list[Json], bound: Json, knobs: Json, more: Json, offer: tuple[Any, ...] | None) -> None:
    """Conversation, tools, reasoning, marks and knobs come back from Anthropic's form as they went in."""
    body = {"messages": talk, **bound, **knobs, **more}
    if offer is not None:
        body.update({"tools": offer[0], "tool_choice": offer[1], **(offer[2] if offer[1] != "none" else {})})

    encoded = AnthropicCodec(MINT).encode(request(body), Target("a", "claude-sonnet-4-5"))
    back = told(MessagesReader().read(encoded.body))

    assert back == body
    assert encoded.dropped == ()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    talks(ENCRYPTED, st.just({})),
    optional(max_completion_tokens=st.integers(1, 99), temperature=st.sampled_from([0.0, 0.5]), top_p=st.just(0.5)),
    optional(user=WORD, response_format=FORM, verbosity=st.just("low"), prompt_cache_key=WORD),
    st.none() | st.tuples(tools(st.just({}), st.booleans().map(lambda it: {"strict": it})), CHOICES, OFFERS),
)
def test_responses(talk: list[Json], knobs: Json, more: Json, offer: tuple[Any, ...] | None) -> None:
    """Conversation, tools, reasoning and knobs come back from the Responses API's form as they went in."""
    body = {"messages": talk, **knobs, **more}
    if offer is not None:
        body.update({"tools": offer[0], "tool_choice": offer[1], **offer[2]})

    encoded = ResponsesCodec(MINT, OpenAiCodec()).encode(request(body), Target("o", "gpt-5"))
    back = told(ResponsesReader().read(encoded.body))

    assert back == body
    assert encoded.dropped == ()
