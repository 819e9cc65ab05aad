"""What requests in the form of the Responses API mean: recordings, and what is wrong with some."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.dialects.responses.dialect import ResponsesDialect
from app.api.dialects.responses.request import responses_request
from app.core.errors import INVALID_JSON, INVALID_REQUEST, GatewayError
from app.core.model import ChatRequest, Native
from tests.api.dialects.reading import GOLDEN
from tests.support.golden import agrees, names_in, recorded

REQUESTS = GOLDEN / "responses/requests"


def body(**members: object) -> bytes:
    """Return a good body with these members added or replaced."""
    return json.dumps({"model": "m", "input": "Hi", **members}).encode()


@pytest.mark.parametrize("name", names_in(REQUESTS))
def test_means_what_was_recorded(name: str) -> None:
    """Each feature is read into the canonical form."""
    path = REQUESTS / f"{name}.json"

    request = responses_request(json.dumps(recorded(path)["given"]).encode())

    agrees(path, "canonical", json.loads(request.raw))


def test_keeps_the_original_bytes() -> None:
    """What the client wrote is there for a provider of the same dialect."""
    raw = body(future=[1.50])

    request, _ = ResponsesDialect().read(raw, {})

    assert isinstance(request, ChatRequest)
    assert request.origin == Native("responses", raw)
    assert request.translated


def item(**members: object) -> dict[str, Any]:
    """Return a body with one item."""
    return {"input": [members]}


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a member of chat completions": ({"n": "two"}, "n"),
    "no input": ({"input": None}, "input"),
    "an empty input": ({"input": []}, "input"),
    "a model that is a number": ({"model": 4}, "model"),
    "an input that is a number": ({"input": 5}, "input"),
    "an item that is text": ({"input": ["x"]}, "input[0]"),
    "a role of others": (item(role="critic", content="x"), "input[0].role"),
    "no role": (item(content="x"), "input[0].role"),
    "no content": (item(role="user"), "input[0].content"),
    "a part of others": (item(role="user", content=[{"type": "video"}]), "input[0].content[0].type"),
    "a part without a type": (item(role="user", content=[{"text": "x"}]), "input[0].content[0].type"),
    "a call without an id": (item(type="function_call", name="f", arguments="{}"), "input[0].call_id"),
    "arguments that are no text": (
        item(type="function_call", call_id="c", name="f", arguments={}),
        "input[0].arguments",
    ),
    "an output that is a number": (item(type="function_call_output", call_id="c", output=5), "input[0].output"),
    "a tool without a type": ({"tools": [{"name": "f"}]}, "tools[0].type"),
    "a choice that is a number": ({"tool_choice": 5}, "tool_choice"),
    "a bound in words": ({"max_output_tokens": "many"}, "max_output_tokens"),
    "a form without a type": ({"text": {"format": {"name": "x"}}}, "text.format.type"),
}


@pytest.mark.parametrize(("members", "param"), WRONG.values(), ids=WRONG)
def test_names_what_is_wrong(members: dict[str, Any], param: str) -> None:
    """A wrong field is named by its path in the body that the client sent."""
    with pytest.raises(GatewayError) as caught:
        responses_request(body(**members))

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, param)


NO_JSON = [b"", b"{", b'{"model":"\xff"}', b'{"model":"m"} {}', b'{"x":' + b"[" * 100_000]


@pytest.mark.parametrize("raw", NO_JSON, ids=lambda raw: raw[:12])
def test_refuses_what_is_no_json(raw: bytes) -> None:
    """Whatever is no JSON object in UTF-8 is refused as that."""
    with pytest.raises(GatewayError) as caught:
        responses_request(raw)

    assert caught.value.kind is INVALID_JSON


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KINDS = ("message", "reasoning", "function_call", "custom_tool_call", "function_call_output", "web_search_call", "x")
MEMBERS = ("role", "content", "summary", "arguments", "input", "output", "id", "call_id", "name", "encrypted_content")
ITEMS = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(MEMBERS, JSON))


@settings(deadline=None)
@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_reading_is_total(items: list[object]) -> None:
    """Whatever items come, there is a request or a refusal."""
    try:
        request = responses_request(body(input=items))
    except GatewayError:
        return

    assert json.loads(request.raw)["model"] == "m"
