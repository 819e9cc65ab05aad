"""How deep a text is, whatever its length and whatever its strings hold."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.json_text import LONG_BYTES, deeper_than

TEXTS = st.sampled_from(["", "plain", 'a "quote" {', "[[[[[[", "}]}]", "\\", 'C:\\"{', "\n{\n[", "é☃"])
VALUES = st.recursive(
    TEXTS | st.integers() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=30,
)


def depth_of(value: object) -> int:
    """Count the levels of a decoded value."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def nested(levels: int) -> object:
    """Return arrays in arrays."""
    return [nested(levels - 1)] if levels else "["


@settings(max_examples=300)
@given(st.dictionaries(TEXTS, VALUES, max_size=5), st.integers(1, 8), st.booleans(), st.booleans())
def test_the_depth_is_that_of_the_decoded_value(body: dict[str, object], levels: int, padded: bool, wide: bool) -> None:
    """Short or long, compact or not: brackets count where they are brackets."""
    whole = {**body, "more": "{[" * LONG_BYTES} if padded else body
    raw = json.dumps(whole, indent=2 if wide else None, ensure_ascii=wide).encode()

    assert deeper_than(raw, levels) is (depth_of(whole) > levels)


@pytest.mark.parametrize("text", ["{[", 'say \\"{\\" and [', "plain"])
@pytest.mark.parametrize("count", [1, 100])
def test_a_long_conversation(text: str, count: int) -> None:
    """Each of its messages may use up the levels, whatever they say."""
    said = text * LONG_BYTES
    messages = [{"role": "user", "content": [{"type": "text", "text": said}]} for _ in range(count)]
    raw = json.dumps({"model": "fast", "messages": messages}).encode()

    assert deeper_than(raw, 4)
    assert not deeper_than(raw, 5)


def test_depth_that_a_repeated_member_hides() -> None:
    """A name that is there twice hides nothing: the text is read as it stands."""
    deep, padding = json.dumps(nested(9)), "x" * LONG_BYTES
    raw = f'{{"a": {deep}, "b": "{padding}", "a": 1}}'.encode()

    assert deeper_than(raw, 9)
    assert not deeper_than(raw, 10)
