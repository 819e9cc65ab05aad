"""Which requests are the same, and who shares their answers."""

from __future__ import annotations

import string
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.caching.canonical import canonical
from app.core.caching.keys import Keys
from app.core.identity import Caller
from app.core.model import ChatFields, ChatRequest, Native, Operation, PlainRequest
from tests.core.caching.making import ASKED, call_of, key_of

ANN = Caller("key-a", "tenant-a", team="red")
BOB = Caller("key-b", "tenant-b", team="red")
EVE = Caller("key-e", "tenant-e")

scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.text(string.ascii_letters, max_size=4)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab"), inner, max_size=3)
)
bodies = st.dictionaries(st.text("uvw", min_size=1, max_size=2), values, max_size=5)


def respelled(value: Any, data: st.DataObject) -> str:  # noqa: ANN401 - any JSON
    """Spell JSON with other white space, and keys in another order."""
    space = data.draw(st.sampled_from(("", " ", "\n\t")))
    if isinstance(value, dict):
        members = data.draw(st.permutations(list(value.items())))
        inside = f",{space}".join(f'"{name}"{space}:{respelled(each, data)}' for name, each in members)
        return f"{{{space}{inside}{space}}}"
    if isinstance(value, list):
        return f"[{space}{f',{space}'.join(respelled(each, data) for each in value)}]"
    return msgspec.json.encode(value).decode()


def key_of_raw(raw: bytes) -> str:
    """Return the key of a body as it is spelled."""
    request = ChatRequest(msgspec.json.decode(raw, type=ChatFields), raw)
    return key_of(msgspec.structs.replace(call_of(ASKED), request=request))


@given(bodies, st.data())
def test_the_spelling_does_not_matter(more: dict[str, Any], data: st.DataObject) -> None:
    """Order of keys and white space lead to the same key, whatever fields there are."""
    body = {**ASKED, **more}

    assert key_of_raw(respelled(body, data).encode()) == key_of(call_of(body))


@given(bodies, bodies)
def test_whatever_else_is_different_is_another_question(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Two bodies have the same key only if they are the same but for nulls at the top."""
    says = [{name: value for name, value in body.items() if value is not None} for body in (one, other)]

    assert (key_of(call_of({**ASKED, **one})) == key_of(call_of({**ASKED, **other}))) == (says[0] == says[1])


@pytest.mark.parametrize(
    "more",
    [
        {"n": 1},
        {"temperature": 1.0},
        {"top_p": 1},
        {"tools": []},
        {"tool_choice": "auto"},
        {"response_format": {"type": "text"}},
        {"logprobs": False},
        {"seed": None},
        {"stream": True, "stream_options": {"include_usage": True}},
        {"prompt_cache_key": "k"},
        {"messages": [{"role": "user", "content": "hi", "name": None}]},
    ],
    ids=min,
)
def test_defaults_and_delivery_do_not_matter(more: dict[str, Any]) -> None:
    """What OpenAI documents as the default, null, or how the answer is delivered makes no difference."""
    assert key_of(call_of({**ASKED, **more})) == key_of(call_of(ASKED))


@pytest.mark.parametrize(
    "more",
    [
        {"temperature": 0},
        {"n": 2},
        {"top_p": 0.5},
        {"max_tokens": 5},
        {"max_completion_tokens": 5},
        {"stop": ["x"]},
        {"seed": 0},
        {"user": "u"},
        {"logprobs": True},
        {"logit_bias": {"1": 1}},
        {"response_format": {"type": "json_object"}},
        {"reasoning_effort": "low"},
        {"future": None, "other": 0},
        {"model": "slow"},
        {"messages": [{"role": "system", "content": "x"}, *ASKED["messages"]]},
        {"messages": [{"role": "user", "content": "hi "}]},
        {"logprobs": 0},
    ],
    ids=str,
)
def test_what_can_change_the_answer_matters(more: dict[str, Any]) -> None:
    """Each field that makes an answer, known or not, makes another key."""
    plain = call_of(ASKED)
    call = msgspec.structs.replace(
        plain, request=PlainRequest(Operation.CHAT, "fast", msgspec.json.encode(ASKED | more))
    )
    if "model" in more:
        call = call_of(ASKED | more)

    assert key_of(call) != key_of(plain)


def test_one_stop_word_may_be_a_list() -> None:
    """A single stop word and a list of one are the same question."""
    assert key_of(call_of({**ASKED, "stop": "x"})) == key_of(call_of({**ASKED, "stop": ["x"]}))


def test_fields_may_be_ignored() -> None:
    """An operator may say that a field makes no difference."""
    for body in ({**ASKED, "user": "u"}, {**ASKED, "user": "v"}, ASKED):
        assert key_of(call_of(body), ignored=frozenset({"user"})) == key_of(call_of(ASKED))


@pytest.mark.parametrize(
    ("scope", "sharing"),
    [
        ("key", [{"ann", "ann2"}, {"bob"}, {"eve"}, {"open"}, {"open k"}]),
        ("team", [{"ann", "ann2", "bob"}, {"eve"}, {"open"}, {"open k"}]),
        ("global", [{"ann", "ann2", "bob", "eve", "open", "open k"}]),
    ],
)
def test_who_shares(scope: Any, sharing: list[set[str]]) -> None:  # noqa: ANN401 - a word
    """By default each tenant has its own answers; without keys, callers that present different ones do, too."""
    calls = {
        "ann": call_of(ASKED, ANN),
        "ann2": call_of(ASKED, ANN, b"rotated"),
        "bob": call_of(ASKED, BOB),
        "eve": call_of(ASKED, EVE),
        "open": call_of(ASKED),
        "open k": call_of(ASKED, token=b"k"),
    }
    keys = {name: key_of(call, scope) for name, call in calls.items()}

    found = [{name for name in calls if keys[name] == key} for key in dict.fromkeys(keys.values())]

    assert found == sharing


def test_headers_that_a_provider_sees_matter() -> None:
    """A beta header makes another key; where a call comes from does not."""
    plain = call_of(ASKED)
    traced = call_of(ASKED, headers=(("traceparent", "00-1"), ("idempotency-key", "i")))
    beta = call_of(ASKED, headers=(("openai-beta", "x"),))

    assert key_of(traced) == key_of(plain) != key_of(beta)


def test_a_body_in_another_dialect_counts() -> None:
    """Where a client spoke another dialect, its own body counts as well, but for its spelling."""

    def native(raw: bytes) -> str:
        call = call_of(ASKED)
        assert isinstance(call.request, ChatRequest)
        request = msgspec.structs.replace(call.request, origin=Native("anthropic", raw))
        return key_of(msgspec.structs.replace(call, request=request))

    keys = [native(raw) for raw in (b'{"top_k":1,"a":2}', b'{"a":2, "top_k":1,"stream":true}', b'{"top_k":2}', b"{")]

    assert keys[0] == keys[1]
    assert len({*keys, key_of(call_of(ASKED))}) == 4


def test_other_targets_are_another_question() -> None:
    """When a route is configured differently, its old answers are not found any more."""
    assert key_of(call_of(ASKED), fingerprint="a") != key_of(call_of(ASKED), fingerprint="b")


def test_a_key_can_be_read() -> None:
    """It begins with operation, model and tenant, in letters that do no harm, and ends with a digest."""
    call = call_of({**ASKED, "model": "a:b\u00e9" + "x" * 99}, Caller("k", "t t"))

    label, _, digest = key_of(call).rpartition(":")

    assert label == "chat:a_b_" + "x" * 60 + ":t_t"
    assert len(digest) == 64


def test_many_models_do_not_fill_the_memory() -> None:
    """What is remembered of names is bounded, and forgetting it changes no key."""
    asked: list[str] = []

    def fingerprint(model: str) -> str:
        asked.append(model)
        return ""

    keys = Keys("key", frozenset(), fingerprint)

    def keys_of(models: int) -> list[str]:
        calls = [call_of({**ASKED, "model": f"m{number}"}) for number in range(models)]
        return [keys.key(call, canonical(call.request.raw) or {}) for call in calls]

    first = keys_of(1024)
    again = keys_of(1024)
    remembered = len(asked)
    more = keys_of(1025)
    forgotten = keys_of(1)

    assert len(set(first)) == remembered == 1024
    assert first == again == more[:1024]
    assert asked[1024:] == ["m1024", "m0"]
    assert forgotten == first[:1]


@pytest.mark.parametrize("raw", [b"", b"[1]", b"{", b"--boundary", b"[" * 100_000])
def test_what_is_no_object_has_no_form(raw: bytes) -> None:
    """A body that is not JSON, or no object, is nothing for the cache."""
    assert canonical(raw) is None
