"""How deep a body may be nested, and what finding that out may cost."""

from __future__ import annotations

import asyncio
import json
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Reply
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.pipeline import compose
from app.stages.validate import Validate, ValidateOptions
from tests.support.calls import FakeProvider, a_call, answers, chat_request

texts = st.text(st.sampled_from('ab[]{}",:\\/ \n\u20ac'))
values = st.recursive(
    st.none() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=40,
)


def body(extra: object) -> bytes:
    """Return a request's body with a field the gateway does not know."""
    request = {"model": "fast", "messages": [{"role": "user", "content": "hi"}], "extra": extra}
    return json.dumps(request, ensure_ascii=False).encode()


def nested(levels: int, text: str = "") -> object:
    """Return lists inside each other with a text in the innermost."""
    value: object = text
    for _ in range(levels):
        value = [value]
    return value


def depth_of(value: object) -> int:
    """Measure how deep a decoded value is nested; a scalar has depth 0."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


async def is_refused(raw: bytes, depth_max: int) -> bool:
    """Say whether the stage refuses a body for its depth."""
    options = ValidateOptions(
        max_messages=10, max_prompt_chars=10_000_000, max_json_depth=depth_max, allow_control_chars=True
    )
    handler = compose([Validate(options)], FakeProvider(answers()))

    async def outcome() -> Reply:
        return await handler(a_call(chat_request(raw)))

    (result,) = await asyncio.gather(outcome(), return_exceptions=True)
    if not isinstance(result, BaseException):
        return False
    assert isinstance(result, GatewayError)
    assert result.kind is INVALID_REQUEST
    assert f"more than {depth_max} levels" in result.message
    return True


@pytest.mark.parametrize("depth_max", [3, 4, 5, 64])
async def test_depth_is_bounded_exactly(depth_max: int) -> None:
    """A body as deep as the bound passes, one level more is refused; the outermost object counts."""
    assert not await is_refused(body(nested(depth_max - 1)), depth_max)
    assert await is_refused(body(nested(depth_max)), depth_max)


@pytest.mark.parametrize("depth_max", [3, 4, 64])
async def test_depth_is_bounded_with_as_many_brackets_as_levels(depth_max: int) -> None:
    """A body in which every bracket stands inside the one before is measured as exactly."""
    passing, refused = (
        b'{"model":"fast","messages":[{"role":"assistant","x":' + b"[" * inner + b"]" * inner + b"}]}"
        for inner in (depth_max - 3, depth_max - 2)
    )

    assert not await is_refused(passing.replace(b'"x":}', b'"x":1}'), depth_max)
    assert await is_refused(refused, depth_max)


async def test_breadth_is_not_depth() -> None:
    """Any number of brackets side by side is as deep as one."""
    assert not await is_refused(body([[]] * 1000), 3)
    assert await is_refused(body([[]] * 1000 + [[[]]]), 3)


@pytest.mark.parametrize("text", ["[" * 100, '"[' * 50, "\\" + "[{" * 50, '\\"' * 50 + "[" * 50, "\\\\[\\", "]" * 100])
async def test_brackets_in_text_are_text(text: str) -> None:
    """Brackets, quotes and backslashes inside strings neither deepen a body nor make it shallower."""
    assert not await is_refused(body({text: text}), 3)
    assert not await is_refused(body([text, text]), 3)
    assert await is_refused(body([text, nested(3, text)]), 3)


@settings(deadline=None)
@given(values, st.integers(3, 8))
async def test_depth_is_what_the_decoded_body_has(extra: object, depth_max: int) -> None:
    """For any body the verdict is that of measuring the decoded value."""
    raw = body(extra)

    refused = await is_refused(raw, depth_max)

    assert refused is (depth_of(json.loads(raw)) > depth_max)


@pytest.mark.parametrize("unit", ["x", "[", "\\n", '\\"', "\u20ac"], ids=["plain", "bracket", "break", "quote", "wide"])
async def test_a_long_text_costs_no_more_than_a_copy(unit: str) -> None:
    """Looking past a long string takes memory (and with it time) in proportion to a copy of the body at most."""
    text = json.loads(f'"{unit * 1_000_000}"')
    raw = body([*[[]] * 100, text])

    tracemalloc.start()
    await is_refused(raw, 64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 8 * len(raw)
