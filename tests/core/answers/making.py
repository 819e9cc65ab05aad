"""Whole answers of every form that providers give, and ways to stream them, for hypothesis."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from app.core.model import Chunk, Completion, StreamEvent, Weight
from app.core.usage import Usage

texts = st.text(st.characters(codec="utf-8"), max_size=400)
names = st.text("abcdefgh_", min_size=1, max_size=8)
scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
unknown = st.recursive(
    scalars | texts, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3)
)

calls: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.fixed_dictionaries(
        {"id": names, "type": st.just("function")},
        optional={
            "function": st.fixed_dictionaries({"name": names, "arguments": texts}),
            "extra_content": st.fixed_dictionaries({"thought_signature": names}),
        },
    ),
    st.fixed_dictionaries(
        {"id": names, "type": st.just("custom"), "custom": st.fixed_dictionaries({"name": names, "input": texts})}
    ),
)
tokens = st.lists(
    st.fixed_dictionaries({"token": texts, "logprob": st.floats(-9, 0), "top_logprobs": st.just([])}),
    min_size=1,
    max_size=5,
)
parts: st.SearchStrategy[Any] = st.lists(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts})
    | st.fixed_dictionaries({"type": st.just("image_url"), "image_url": st.fixed_dictionaries({"url": texts})}),
    min_size=1,
    max_size=3,
)
messages = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": st.none() | texts | parts},
    optional={
        "refusal": st.none() | texts,
        "reasoning_content": st.none() | texts,
        "reasoning": st.none() | texts,
        "annotations": st.lists(st.fixed_dictionaries({"type": st.just("url_citation"), "url": texts}), max_size=2),
        "tool_calls": st.none() | st.lists(calls, max_size=3, unique_by=lambda call: call["id"]),
        "function_call": st.none() | st.fixed_dictionaries({"name": names, "arguments": texts}),
        "audio": st.none() | st.fixed_dictionaries({"id": names, "data": texts, "transcript": texts}),
    },
)
choices = st.fixed_dictionaries(
    {"message": messages, "finish_reason": st.sampled_from(("stop", "length", "tool_calls", "content_filter"))},
    optional={
        "logprobs": st.none()
        | st.fixed_dictionaries({"content": tokens, "refusal": st.none()})
        | st.fixed_dictionaries({"content": st.none(), "refusal": tokens}),
        "stop_reason": st.none() | texts | st.integers(),
        "content_filter_results": st.dictionaries(
            names, st.fixed_dictionaries({"filtered": st.booleans()}), max_size=2
        ),
        "token_ids": st.lists(st.integers(0, 9), max_size=3),
    },
)
usages = st.fixed_dictionaries(
    {"prompt_tokens": st.integers(0, 9), "completion_tokens": st.integers(0, 9), "total_tokens": st.integers(0, 18)},
    optional={
        "cost": st.floats(0, 1),
        "completion_tokens_details": st.fixed_dictionaries({"reasoning_tokens": st.just(1)}),
    },
)


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    """Draw the body of a whole answer."""
    body: dict[str, Any] = draw(
        st.fixed_dictionaries(
            {"id": names, "object": st.just("chat.completion"), "created": st.integers(1, 2**31), "model": names},
            optional={
                "system_fingerprint": st.none() | names,
                "service_tier": st.none() | names,
                "usage": usages,
                "x_groq": st.fixed_dictionaries({"id": names}),
                "citations": st.lists(texts, max_size=2),
                "vendor": unknown,
            },
        )
    )
    given = draw(st.lists(choices, min_size=1, max_size=3))
    return {**body, "choices": [{"index": index, **choice} for index, choice in enumerate(given)]}


def completion_of(body: dict[str, Any]) -> Completion:
    """Return a body as a codec would."""
    usage = msgspec.convert(body["usage"], Usage) if "usage" in body else None
    reasons = tuple(choice["finish_reason"] for choice in body["choices"])
    return Completion(msgspec.json.encode(body), usage, reasons)


def framed(payload: object) -> StreamEvent:
    """Return the event of a payload, whatever it is."""
    data = msgspec.json.encode(payload)
    try:
        chunk = msgspec.json.decode(data, type=Chunk)
    except msgspec.ValidationError:
        chunk = None
    return StreamEvent(b"data: %b\n\n" % data, chunk, Weight.ANSWER)


DONE = StreamEvent(b"data: [DONE]\n\n", None, Weight.ANSWER, done=True)
