"""What is left out of the cache."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.core.caching.canonical import canonical
from app.core.caching.policy import CachePolicy
from app.core.model import Completion, Operation, PlainRequest, Request
from tests.core.caching.making import ASKED, answer, call_of

POLICY = CachePolicy((Operation.CHAT, Operation.EMBEDDINGS))
ALL = CachePolicy(tuple(Operation), tools=True, several_choices=True, media=True, seeds=True, truncated=True)
IMAGE = {"type": "image_url", "image_url": {"url": "https://x/y.png"}}


def admitted(policy: CachePolicy, more: dict[str, Any]) -> bool:
    """Say whether a policy admits a request with these fields."""
    request = call_of({**ASKED, **more}).request
    fields = canonical(request.raw)
    assert fields is not None
    return policy.admits(request, fields)


def changed(policy: CachePolicy, **settings: object) -> CachePolicy:
    """Return a policy with other settings."""
    return msgspec.structs.replace(policy, **settings)


@pytest.mark.parametrize(
    ("more", "setting"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, {"tools": True}),
        ({"functions": [{"name": "f"}]}, {"tools": True}),
        ({"web_search_options": {"x": 1}}, {"tools": True}),
        ({"n": 2}, {"several_choices": True}),
    ],
)
def test_what_is_left_out_unless_it_is_allowed(more: dict[str, Any], setting: dict[str, Any]) -> None:
    """Tools and several choices are asked for anew each time, unless an operator allows otherwise."""
    assert not admitted(POLICY, more)
    assert admitted(changed(POLICY, **setting), more)


@pytest.mark.parametrize(
    ("more", "setting"),
    [
        ({"seed": 7}, {"seeds": False}),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, {"media": False}),
        ({"temperature": 0.8}, {"max_temperature": 0.5}),
        ({}, {"max_temperature": 0.5}),
        ({}, {"left_out": frozenset({"fast"})}),
        ({}, {"operations": (Operation.EMBEDDINGS,)}),
    ],
)
def test_what_is_taken_unless_it_is_forbidden(more: dict[str, Any], setting: dict[str, Any]) -> None:
    """Seeds, media and any temperature (1 if there is none) are taken, unless an operator says otherwise."""
    assert admitted(POLICY, more)
    assert not admitted(changed(POLICY, **setting), more)


def test_a_cool_request_is_taken() -> None:
    """A temperature up to the bound is good; text parts are no media."""
    parts = [{"role": "user", "content": [{"type": "text", "text": "hi"}]}, {"role": "user", "content": None}]

    assert admitted(changed(POLICY, max_temperature=0.5, media=False), {"temperature": 0.5, "messages": parts})


def test_what_the_provider_shall_keep_is_never_taken() -> None:
    """A call that is to be stored at the provider has to reach it."""
    assert not admitted(ALL, {"store": True})


def test_odd_bodies_are_taken_as_they_are() -> None:
    """Messages that are no list, or hold something else, are no media."""
    request: Request = PlainRequest(Operation.EMBEDDINGS, "m", b"{}")

    assert changed(POLICY, media=False).admits(request, {"messages": "x"})
    assert changed(POLICY, media=False).admits(request, {"messages": [1, {"content": ["x"]}]})


@pytest.mark.parametrize(
    ("choice", "reasons", "stored"),
    [
        ({}, ("stop",), True),
        ({"finish_reason": "tool_calls", "message": {"tool_calls": [{"id": "x"}]}}, ("tool_calls",), True),
        ({"message": {"content": None, "refusal": "no"}}, ("stop",), True),
        ({"message": {"content": ""}}, ("stop",), False),
        ({"message": None}, ("stop",), False),
        ({"message": None, "text": "older"}, ("stop",), True),
        ({}, ("content_filter",), False),
        ({}, ("insufficient_system_resource",), False),
        ({}, (), False),
        ({}, ("stop", "stop"), False),
    ],
)
def test_only_complete_answers_are_stored(choice: dict[str, Any], reasons: tuple[str, ...], stored: bool) -> None:
    """Each choice has to say something, and to have come to its proper end."""
    completion = msgspec.structs.replace(answer(**choice), finish_reasons=reasons)

    assert ALL.stores(Operation.CHAT, completion) is stored


def test_cut_answers_are_stored_if_they_may() -> None:
    """What a limit of tokens cut short is no good answer, unless an operator says that it is."""
    cut = msgspec.structs.replace(answer(), finish_reasons=("length",))

    assert not POLICY.stores(Operation.CHAT, cut)
    assert ALL.stores(Operation.CHAT, cut)


def test_large_answers_are_not_stored() -> None:
    """An answer has a bound of its own."""
    assert not changed(POLICY, answer_max_bytes=1024).stores(Operation.CHAT, answer("x" * 1024))


def test_other_operations_need_only_an_answer() -> None:
    """Vectors and the like have no finish; a body that cannot be read is no chat."""
    assert POLICY.stores(Operation.EMBEDDINGS, Completion(b"[]"))
    assert not POLICY.stores(Operation.EMBEDDINGS, Completion(b""))
    assert not POLICY.stores(Operation.CHAT, Completion(b"{", finish_reasons=("stop",)))
