"""Random requests in the canonical form, from which properties of dialects are tested."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, TypeAlias

import msgspec
from hypothesis import strategies as st

from app.core.model import ChatFields, ChatRequest

Json: TypeAlias = dict[str, Any]
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=9).filter(
    lambda text: text == text.strip()
)
WORD = st.from_regex("[a-z]{1,6}", fullmatch=True)
MARK = st.sampled_from([{}, {"cache_control": {"type": "ephemeral"}}])
SCHEMA = st.just({"type": "object", "properties": {"a": {"type": "string"}}})
ARGUMENTS = st.dictionaries(WORD, st.integers(0, 9) | TEXT, max_size=2).map(json.dumps)
EFFORTS = st.sampled_from(["low", "medium", "high"])
WEB_PICTURE, PICTURE = "https://example.org/a.png", "data:image/png;base64,iVBORw0KGgo="


class Can(NamedTuple):
    """What a dialect has a form for: pictures by their address, documents, and tools that failed."""

    addresses: bool = True
    files: bool = True
    errors: bool = False


EVERYTHING = Can()


def optional(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """Return objects with some of these members."""
    return st.fixed_dictionaries({}, optional=members)


def text_part(marks: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Return parts of text."""
    return st.builds(lambda text, mark: {"type": "text", "text": text, **mark}, TEXT, marks)


def parts(marks: st.SearchStrategy[Json], can: Can = EVERYTHING) -> st.SearchStrategy[Json]:
    """Return what a user can say."""
    addresses = st.sampled_from([WEB_PICTURE, PICTURE] if can.addresses else [PICTURE])
    pictures = st.builds(lambda url: {"type": "image_url", "image_url": {"url": url}}, addresses)
    files = st.builds(
        lambda name: {"type": "file", "file": {"filename": name, "file_data": "data:application/pdf;base64,JVBERi0="}},
        WORD,
    )
    return text_part(marks) | pictures | files if can.files else text_part(marks) | pictures


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
def talks(
    draw: st.DrawFn, thoughts: st.SearchStrategy[Json], marks: st.SearchStrategy[Json], can: Can = EVERYTHING
) -> list[Json]:
    """Return conversations whose turns take turns."""
    messages: list[Json] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(TEXT)})
    for _ in range(draw(st.integers(1, 2))):
        messages.append(
            {"role": "user", "content": simplest(draw(st.lists(parts(marks, can), min_size=1, max_size=3)))}
        )
        called = draw(calls(draw(st.integers(0, 2))))
        answer: Json = {"role": "assistant", "content": draw(TEXT), **draw(thoughts)}
        if called:
            answer["tool_calls"] = called
        messages.append(answer)
        for call in called:
            result = simplest(draw(st.lists(text_part(marks), min_size=1, max_size=2)))
            failed: Json = {"is_error": True} if can.errors and draw(st.booleans()) else {}
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": result, **failed})
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
