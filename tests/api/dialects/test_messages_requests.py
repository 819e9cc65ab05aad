"""What requests in Anthropic's form mean: recordings, and what is wrong with some."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.dialects.anthropic.dialect import MessagesDialect
from app.api.dialects.anthropic.request import messages_request
from app.core.errors import INVALID_JSON, INVALID_REQUEST, GatewayError
from app.core.model import ChatRequest, Native
from tests.api.dialects.reading import GOLDEN
from tests.support.golden import agrees, names_in, recorded

REQUESTS = GOLDEN / "anthropic/requests"


def body(**members: object) -> bytes:
    """Return a good body with these members added or replaced."""
    usual = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    return json.dumps({**usual, **members}).encode()


def turn(*blocks: object, role: str = "user") -> dict[str, Any]:
    """Return a message with these blocks."""
    return {"role": role, "content": list(blocks)}


@pytest.mark.parametrize("name", names_in(REQUESTS))
def test_means_what_was_recorded(name: str) -> None:
    """Each feature is read into the canonical form."""
    path = REQUESTS / f"{name}.json"

    request = messages_request(json.dumps(recorded(path)["given"]).encode())

    agrees(path, "canonical", json.loads(request.raw))


def test_keeps_the_original_bytes() -> None:
    """What the client wrote is there for a provider of the same dialect, with the version that it was written for."""
    raw = body(future=[1.50])

    request, _ = MessagesDialect().read(raw, {b"anthropic-version": b"2026-10-21", b"anthropic-beta": b"x"})

    assert isinstance(request, ChatRequest)
    assert request.origin == Native("anthropic", raw, (("anthropic-version", "2026-10-21"),))
    assert request.translated


def test_takes_claude_codes_session() -> None:
    """Calls of one session of Claude Code belong together."""
    _, wanted = MessagesDialect().read(body(), {b"x-claude-code-session-id": b"s-1"})

    assert wanted.options.session == "s-1"


@pytest.mark.parametrize("header", [b"", b"a b", b"x" * 300, b"\xff"])
def test_ignores_an_odd_session(header: bytes) -> None:
    """A session that could not be one of the gateway's is none."""
    _, wanted = MessagesDialect().read(body(), {b"x-claude-code-session-id": header})

    assert wanted.options.session is None


def test_counting_needs_no_bound() -> None:
    """Who counts tokens asks for no answer, so its length needs no bound."""
    raw = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hi"}]}).encode()

    assert messages_request(raw, counting=True).model == "m"


TOOL_RESULT = {"type": "tool_result", "tool_use_id": "t", "content": 5}
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "a member of chat completions": ({"n": "two"}, "n"),
    "no bound": ({"max_tokens": None}, "max_tokens"),
    "a bound in words": ({"max_tokens": "many"}, "max_tokens"),
    "a model that is a number": ({"model": 4}, "model"),
    "messages that are text": ({"messages": "hi"}, "messages"),
    "a message without content": ({"messages": [{"role": "user"}]}, "messages[0].content"),
    "a role of others": ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
    "a block without a type": ({"messages": [turn({"text": "x"})]}, "messages[0].content[0].type"),
    "a text that is a number": ({"messages": [turn({"type": "text", "text": 5})]}, "messages[0].content[0].text"),
    "a result that is a number": ({"messages": [turn(TOOL_RESULT)]}, "messages[0].content[0].content"),
    "a system that is a number": ({"system": 5}, "system"),
    "a tool that is text": ({"tools": ["f"]}, "tools[0]"),
    "a choice of others": ({"tool_choice": {"type": "sometimes"}}, "tool_choice.type"),
    "stops that are text": ({"stop_sequences": "END"}, "stop_sequences"),
    "a temperature in words": ({"temperature": "hot"}, "temperature"),
    "a user that is a number": ({"metadata": {"user_id": 5}}, "metadata.user_id"),
}


@pytest.mark.parametrize(("members", "param"), WRONG.values(), ids=WRONG)
def test_names_what_is_wrong(members: dict[str, Any], param: str) -> None:
    """A wrong field is named by its path in the body that the client sent."""
    with pytest.raises(GatewayError) as caught:
        messages_request(body(**members))

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, param)


@pytest.mark.parametrize(
    "raw", [b"", b"{", b'{"model":"\xff"}', b'{"model":"m","messages":[]} {}', b'{"x":' + b"[" * 100_000]
)
def test_refuses_what_is_no_json(raw: bytes) -> None:
    """Whatever is no JSON object in UTF-8 is refused as that."""
    with pytest.raises(GatewayError) as caught:
        messages_request(raw)

    assert caught.value.kind is INVALID_JSON


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KINDS = ("text", "image", "document", "tool_use", "tool_result", "thinking", "search_result", "x")
MEMBERS = ("text", "source", "content", "input", "id", "name", "tool_use_id", "citations", "cache_control")
BLOCKS = st.fixed_dictionaries({"type": st.sampled_from(KINDS)}, optional=dict.fromkeys(MEMBERS, JSON))


@settings(deadline=None)
@given(st.sampled_from(["user", "assistant"]), st.lists(BLOCKS, max_size=3))
def test_reading_is_total(role: str, blocks: list[object]) -> None:
    """Whatever blocks come, there is a request or a refusal."""
    try:
        request = messages_request(body(messages=[{"role": role, "content": blocks}]))
    except GatewayError:
        return

    assert json.loads(request.raw)["model"] == "m"
