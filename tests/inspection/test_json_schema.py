"""Answers that have to be JSON of a certain form."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from app.core.guards.guard import Said
from app.core.guards.seen import prompt_of
from app.core.model import Operation, PlainRequest
from app.inspection.json_schema import JsonSchema
from tests.core.guards.test_injection import nobody
from tests.support.calls import asking

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"$ref": "#/$defs/age"}},
    "patternProperties": {"^x-": {"type": "integer"}},
    "required": ["name"],
    "additionalProperties": False,
    "$defs": {"age": {"type": "integer", "minimum": 0}},
}


def said(*contents: str, tools: tuple[str, ...] = ()) -> Said:
    """Return an answer."""
    return Said(contents, contents, tools, tools)


async def reason(content: Said, schema: dict[str, object] | None = None, wanted: object = None) -> str | None:
    """Return why an answer is complained of."""
    fields: dict[str, Any] = {} if wanted is None else {"response_format": wanted}
    found = await JsonSchema(schema).check_answer(content, prompt_of(asking(**fields)), nobody)
    return None if found is None else found.reason


def asked(schema: object) -> dict[str, object]:
    """Return the `response_format` of a schema."""
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (said('{"name":"Anna","age":3,"x-1":2}'), None),
        (said('{"name":"anna"}'), "mismatch"),
        (said('{"name":"Anna","age":-1}'), "mismatch"),
        (said('{"name":"Anna","x-1":"y"}'), "mismatch"),
        (said('{"name":"Anna"}', "{}"), "mismatch"),
        (said("[]"), "mismatch"),
        (said('Sure: {"name":"Anna"}'), "no_json"),
        (said(), "empty"),
        (said(tools=("f",)), None),
    ],
)
async def test_schemas(content: Said, expected: str | None) -> None:
    """The operator's, and that of the request; every choice must fit, and a call of a tool is no answer yet."""
    assert [await reason(content, PERSON), await reason(content, None, asked(PERSON))] == [expected] * 2


@pytest.mark.parametrize(
    ("wanted", "content", "expected"),
    [
        (None, "no json", None),
        ({"type": "text"}, "no json", None),
        ({"type": "json_object"}, "{}", None),
        ({"type": "json_object"}, "[]", "mismatch"),
        ({"type": "json_schema", "json_schema": {"name": "x"}}, "no json", None),
        (asked(None), "1", None),
        (asked(True), "1", None),
        (asked({"type": "nonsense"}), "1", None),
        ({"type": 7}, "no json", None),
    ],
)
async def test_what_a_request_asks_for(wanted: object, content: str, expected: str | None) -> None:
    """Only JSON is held to be JSON, and a schema that is none is left to the provider."""
    assert await reason(said(content), None, wanted) == expected


async def test_other_operations_ask_for_no_schema() -> None:
    """Only chats have a response format."""
    prompt = prompt_of(PlainRequest(Operation.COMPLETIONS, "fast", b"{}"))

    assert await JsonSchema(None).check_answer(said("x"), prompt, nobody) is None


@pytest.mark.parametrize("pointer", ["http://127.0.0.1:9/x", "file:///etc/passwd", "#/nowhere"])
async def test_nothing_is_fetched(pointer: str) -> None:
    """A schema that points elsewhere cannot be used, and asks nobody."""
    assert await reason(said("1"), {"$ref": pointer}) == "schema_unusable"


@pytest.mark.parametrize("schema", [{"pattern": "(a+)+$"}, {"patternProperties": {"(a+)+$": {}}}, {"pattern": "(?=x)"}])
async def test_patterns_of_callers_take_no_long_time(schema: dict[str, object]) -> None:
    """Also those that other engines never finish; one that RE2 does not know matches everything."""
    began = time.process_time()

    found = [
        await reason(said(content), None, asked(schema))
        for content in ('"' + "a" * 50_000 + '!"', '{"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!":1}')
    ]

    assert found[1] is None
    assert time.process_time() - began < 2.0


async def test_schemas_without_end() -> None:
    """One that points at itself is unusable, not endless."""
    loop = {"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}

    assert await reason(said("1"), None, asked(loop)) == "schema_unusable"


def doubling(depth: int) -> dict[str, object]:
    """Return a small schema of 2 ** depth steps."""
    steps = {f"a{number}": {"allOf": [{"$ref": f"#/$defs/a{number + 1}"}] * 2} for number in range(depth)}
    return {"$ref": "#/$defs/a0", "$defs": {**steps, f"a{depth}": {"type": "object"}}}


@pytest.mark.parametrize(
    ("schema", "content", "expected"),
    [
        (doubling(8), "{}", None),
        (doubling(40), "{}", "schema_unusable"),
        ({"required": [name for number in range(20_000) for name in (number, str(number))]}, "{}", None),
        ({"items": {"type": "object"}}, json.dumps([{}] * 60_000), "schema_unusable"),
        ({"uniqueItems": True}, json.dumps([{"a": number} for number in range(50_000)]), None),
        ({"uniqueItems": True}, '[{"a":1,"b":2},{"b":2,"a":1}]', "mismatch"),
        ({"uniqueItems": True}, '[1,true,"1",[1]]', None),
        ({"uniqueItems": True}, "{}", None),
        ({"uniqueItems": False}, "[1,1]", None),
    ],
)
async def test_no_schema_takes_long(schema: dict[str, object], content: str, expected: str | None) -> None:
    """Neither small ones of many steps, nor those whose time grows with the square of an answer or of themselves."""
    began = time.process_time()

    assert await reason(said(content), None, asked(schema)) == expected
    assert time.process_time() - began < 2.0
