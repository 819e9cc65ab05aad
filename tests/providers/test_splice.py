"""Exchanging the model in a request body: that value alone changes, and no spelling of the body can prevent it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import LONG_BYTES
from app.providers.splice import replace_model

SLOW = b'"slow": "\\u006d"'  # an escaped letter, which could be part of a key, takes the careful way
LONG = b'"more":"' + b"x" * LONG_BYTES + b'"'
FRAGMENTS = [
    "model",
    '"model"',
    '"model": "x"',
    "\\",
    '\\"',
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\n",
    " ",
    "é",
    "😀",
    "a",
    "",
]
SPACE = st.sampled_from([b"", b"", b" ", b"\n", b"\t\r\n "])
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=4).map("".join)


def spelled(text: str, every: int) -> bytes:
    """Return a JSON string in which each `every`-th UTF-16 unit is escaped (0: only those that must be)."""
    if not every:
        return json.dumps(text, ensure_ascii=False).encode()
    escaped = []
    for place, char in enumerate(text):
        units = char.encode("utf-16-be")
        plain = json.dumps(char, ensure_ascii=False)[1:-1]
        codes = "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
        escaped.append(plain if place % every else codes)
    return f'"{"".join(escaped)}"'.encode()


STRINGS = st.builds(spelled, TEXTS, st.integers(0, 3))
MODEL_KEYS = st.builds(spelled, st.just("model"), st.integers(0, 3))
SCALARS = st.one_of(STRINGS, st.sampled_from([b"1", b"-0.5e+3", b"true", b"null", b"12345678901234567890123", b"1.0"]))


def _members(texts: list[tuple[bytes, bytes]], space: bytes) -> bytes:
    return b"{" + b",".join(space + key + space + b":" + space + value + space for key, value in texts) + b"}"


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.builds(lambda items, space: b"[" + (b"," + space).join(items) + b"]", st.lists(inner, max_size=3), SPACE),
        st.builds(_members, st.lists(st.tuples(st.one_of(STRINGS, MODEL_KEYS), inner), max_size=3), SPACE),
    ),
    max_leaves=6,
)
KEYS = st.tuples(st.sampled_from(["messages", "stream", "Model", "model ", "mode", "é", "\\", ""]), st.integers(0, 3))
FIELDS = st.lists(st.tuples(KEYS, VALUES), max_size=5, unique_by=lambda field: field[0][0])


@settings(deadline=None)
@given(FIELDS, MODEL_KEYS, STRINGS, TEXTS, st.integers(0, 5), st.tuples(SPACE, st.booleans()))
def test_replaces_nothing_but_the_model(
    fields: list[tuple[tuple[str, int], bytes]],
    key: bytes,
    value: bytes,
    model: str,
    place: int,
    form: tuple[bytes, bool],
) -> None:
    """Whatever stands before, behind and around it, in whatever spelling: only the value of `model` changes."""
    space, long = form
    texts = [space + spelled(*name) + b":" + space + text for name, text in fields] + [LONG] * long
    before, behind = texts[:place], texts[place:]
    head = space + b"{" + b"".join(text + space + b"," for text in before) + key + space + b":" + space
    tail = b"".join(space + b"," + text for text in behind) + space + b"}" + space

    replaced = replace_model(head + value + tail, model)

    assert replaced == head + msgspec.json.encode(model) + tail
    assert json.loads(replaced)["model"] == model


@settings(deadline=None)
@given(FIELDS, st.lists(st.tuples(MODEL_KEYS, STRINGS), min_size=2, max_size=3), st.permutations(range(8)))
def test_refuses_a_model_given_twice(
    fields: list[tuple[tuple[str, int], bytes]], models: list[tuple[bytes, bytes]], order: list[int]
) -> None:
    """Two models in one body are refused however they are spelled, because providers may read either."""
    members = [(spelled(*name), text) for name, text in fields] + models
    shuffled = [members[at] for at in order if at < len(members)]

    with pytest.raises(GatewayError) as caught:
        replace_model(_members(shuffled, b" "), "m")

    assert caught.value.kind is INVALID_REQUEST


@settings(deadline=None)
@given(FIELDS, KEYS, st.lists(VALUES, min_size=2, max_size=2), st.permutations(range(9)))
@example([], ("a", 0), [b"1", b'{"model":         "NNN"}'], [0, 3, 1, 2])
def test_refuses_any_field_given_twice_on_the_careful_way(
    fields: list[tuple[tuple[str, int], bytes]], name: tuple[str, int], values: list[bytes], order: list[int]
) -> None:
    """A body that has to be walked through is refused when any of its top-level fields comes twice."""
    members = [(spelled(*name), value) for value in values]
    members += [(b'"model"', b'"RRRR"'), (b'"slow"', b'"\\u006d"')]
    members += [(spelled(*other), text) for other, text in fields if other[0] != name[0]]
    shuffled = [members[at] for at in order if at < len(members)]

    with pytest.raises(GatewayError) as caught:
        replace_model(_members(shuffled, b""), "m")

    assert caught.value.kind is INVALID_REQUEST


@pytest.mark.parametrize("more", [b'"more":"no"', LONG])
def test_fields_that_nobody_decides_by_may_come_twice(more: bytes) -> None:
    """As long as the model is plain to see."""
    raw = b'{"model":"RRRR","a":1,"a":2,' + more + b"}"

    assert replace_model(raw, "m") == raw.replace(b"RRRR", b"m")


@pytest.mark.parametrize("pad", range(32))
def test_is_not_led_astray_by_a_repeated_field(pad: int) -> None:
    """A second value cannot be made to fit so that a nested model is taken for the top-level one."""
    raw = b'{"a":1,"model":"RRRR","a":{"model":' + b" " * pad + b'"NNN"}}'

    with pytest.raises(GatewayError) as caught:
        replace_model(raw, "m")

    assert caught.value.kind is INVALID_REQUEST


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b'{"model":"a"}', b'{"model":"b"}'),
        (b' {\n"model" :\t"a"\r\n} ', b' {\n"model" :\t"b"\r\n} '),
        (b'{"model":""}', b'{"model":"b"}'),
        (b'{"model":"\\"model\\": \\"x\\""}', b'{"model":"b"}'),
        (b'{"\\u006dodel":"a"}', b'{"\\u006dodel":"b"}'),
        (b'{"x":{"model":"n"},"model":"a"}', b'{"x":{"model":"n"},"model":"b"}'),
        (b'{"model":"a","x":{"model":"n"}}', b'{"model":"b","x":{"model":"n"}}'),
        (b'{"x":"model","model":"a"}', b'{"x":"model","model":"b"}'),
        (b'{"x":["model"],"model":"a"}', b'{"x":["model"],"model":"b"}'),
        (b'{"x":"\\"model\\":\\"n\\"","model":"a"}', b'{"x":"\\"model\\":\\"n\\"","model":"b"}'),
        (b'{"x":"\\\\","model":"a"}', b'{"x":"\\\\","model":"b"}'),
        (b'{"x":1e400,"y":1.10,"model":"a"}', b'{"x":1e400,"y":1.10,"model":"b"}'),
        (b'{"model":"a","x":{"a":1,"a":2}}', b'{"model":"b","x":{"a":1,"a":2}}'),
    ],
)
@pytest.mark.parametrize("careful", [False, True])
def test_keeps_every_other_byte(raw: bytes, expected: bytes, careful: bool) -> None:
    """Spelling, order, white space and numbers that no decoder keeps survive on the short and on the careful way."""
    more = b"," + SLOW + b"}" if careful else b"}"

    replaced = replace_model(more.join(raw.rsplit(b"}", 1)), "b")

    assert replaced == more.join(expected.rsplit(b"}", 1))


def test_encodes_the_new_name() -> None:
    """A configured name with characters that JSON must escape stays one string."""
    replaced = replace_model(b'{"model":"a"}', 'x"\\\n é')

    assert json.loads(replaced) == {"model": 'x"\\\n é'}


@pytest.mark.parametrize("junk", [b'"\xff":1', b'"x\xc3":1'])
def test_refuses_keys_that_are_not_text(junk: bytes) -> None:
    """A key that is not UTF-8 is the caller's fault, not the gateway's, when the body has to be walked through."""
    with pytest.raises(GatewayError) as caught:
        replace_model(b'{"model":"a",' + SLOW + b"," + junk + b"}", "m")

    assert caught.value.kind is INVALID_REQUEST
