"""Requests through every codec: nothing is lost in silence, and what cannot be said is refused by name."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.core.call import Target
from app.core.errors import INVALID_REQUEST, UNSUPPORTED_FEATURE, GatewayError
from tests.providers.conformance.corpus import (
    REQUESTS,
    encoded,
    request,
)
from tests.providers.conformance.dialects import FOREIGN, Dialect
from tests.providers.conformance.marks import (
    EVERY,
    TRANSLATING,
    named,
    tried,
)


@EVERY
@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_is_encoded_the_same_each_time(dialect: Dialect, name: str) -> None:
    """Encoding changes nothing but what it returns: the request can be encoded again, for the next target or try."""
    again = request(name)

    first, second = encoded(dialect, name), encoded(dialect, name)

    assert first == second
    assert again.raw == request(name).raw


@EVERY
def test_the_targets_model_is_asked_for(dialect: Dialect) -> None:
    """The provider is asked for its own model, in the body or in the address, never for the route."""
    found = dialect.codec().encode(request("text"), Target("p", "the:model/x"))

    spelled = {b"the:model/x", b"the%3Amodel%2Fx"}
    assert any(name in found.body or name in found.path.encode() for name in spelled)


@TRANSLATING
def test_whatever_is_lost_is_named(dialect: Dialect) -> None:
    """A field that nobody knows is dropped and reported, not smuggled in and not lost in silence."""
    found = dialect.codec().encode(request("unknown"), Target("p", dialect.tag))

    assert found.dropped == ("some_new_field",)
    assert b"some_new_field" not in found.body


@TRANSLATING
@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": [{"type": "mystery"}]}]},
        {"messages": [{"role": "mystery", "content": "x"}]},
        {"tool_choice": "mystery", "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png,x"}}]}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
        {"messages": [{"role": "assistant", "audio": {"id": "a"}}]},
        {"modalities": ["mystery"]},
    ],
    ids=str,
)
def test_what_cannot_be_said_is_refused_by_name(dialect: Dialect, fields: dict[str, Any]) -> None:
    """Parts that no provider could make sense of are the caller's, and named, before anything is sent."""
    raw = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "x"}], **fields})

    found = tried(dialect, raw)

    if isinstance(found, GatewayError):
        assert found.kind in {UNSUPPORTED_FEATURE, INVALID_REQUEST}
        assert found.param
    else:
        assert set(fields) & set(found.dropped), found.body


@pytest.mark.parametrize("dialect", [d for d in FOREIGN if d.name in {"bedrock", "cohere", "gemini"}], ids=named)
def test_a_result_must_be_of_a_call(dialect: Dialect) -> None:
    """Where a provider joins results to calls, a result of no call is refused."""
    raw = b'{"model":"m","messages":[{"role":"tool","content":"x"}]}'

    found = tried(dialect, raw)

    assert isinstance(found, GatewayError)
    assert (found.kind, found.param) == (INVALID_REQUEST, "messages[0].tool_call_id")


@TRANSLATING
@pytest.mark.parametrize("arguments", ["", "{}", '{"a": 1}', "[1]", "{", '"text"'])
def test_arguments_of_calls_are_objects_or_refused(dialect: Dialect, arguments: str) -> None:
    """Arguments that are no JSON object never make a body that is none."""
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}}
    turns = [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "y"},
    ]

    found = tried(dialect, request("text", messages=turns).raw)

    if isinstance(found, GatewayError):
        assert (found.kind, arguments in {"[1]", "{", '"text"'}) == (INVALID_REQUEST, True)
    else:
        msgspec.json.decode(found.body)
