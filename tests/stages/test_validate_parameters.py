"""Numbers, roles and quantities that no model takes, and bodies that say something twice."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from app.core.call import CallOptions
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.json_text import LONG_BYTES
from app.core.model import ChatRequest, Operation, PlainRequest
from app.core.parameters import Quantities
from app.core.pipeline import compose
from app.stages.validate import Validate, ValidateOptions
from tests.support.calls import FakeProvider, a_call, answers, asking, chat_request

STRICT = ValidateOptions(
    max_messages=10,
    max_prompt_chars=100,
    max_json_depth=64,
    allow_control_chars=False,
    quantities=Quantities(max_tools=2, max_images=2),
    routes={"loose": False},
)
LENIENT = msgspec.structs.replace(STRICT, strict=False, routes={"tight": True})


async def judged(request: ChatRequest | PlainRequest, options: ValidateOptions = STRICT) -> tuple[str | None, str]:
    """Return the field and the words of a refusal; `(None, "")` if there is none."""
    try:
        await compose([Validate(options)], FakeProvider(answers()))(a_call(request))
    except GatewayError as error:
        return error.param, f"{'' if error.kind is INVALID_REQUEST else error.kind.code}{error.message}"
    return None, ""


def talking(*messages: dict[str, object], **fields: Any) -> ChatRequest:  # noqa: ANN401 - JSON
    """Return a request with these messages."""
    return chat_request(msgspec.json.encode({"model": "fast", "messages": messages, **fields}))


USER = {"role": "user", "content": "hi"}
RESULT: dict[str, object] = {"role": "tool", "content": "42", "tool_call_id": "c1"}
CALL = {
    "role": "assistant",
    "content": None,
    "tool_calls": [{"id": "c1", "function": {"name": "f", "arguments": "{}"}}],
}


@pytest.mark.parametrize(
    ("name", "good", "bad", "words"),
    [
        ("temperature", 2, 2.1, "'temperature' must be between 0 and 2."),
        ("temperature", 0, -0.1, "'temperature' must be between 0 and 2."),
        ("top_p", 1, 1.5, "'top_p' must be between 0 and 1."),
        ("n", 128, 0, "'n' must be between 1 and 128."),
        ("max_tokens", 1, 0, "'max_tokens' must be at least 1."),
        ("max_completion_tokens", 9**9, -5, "'max_completion_tokens' must be at least 1."),
        ("frequency_penalty", -2, -2.5, "'frequency_penalty' must be between -2 and 2."),
        ("presence_penalty", 2, 3, "'presence_penalty' must be between -2 and 2."),
        ("top_logprobs", 20, 21, "'top_logprobs' must be between 0 and 20."),
    ],
)
async def test_ranges(name: str, good: float, bad: float, words: str) -> None:
    """The bounds themselves are good, what is beyond them is refused, and the field and its range are named."""
    assert await judged(asking(**{name: good})) == (None, "")  # type: ignore[arg-type]  # a body's field
    assert await judged(asking(**{name: bad})) == (name, words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([{"role": "king", "content": "hi"}], "messages[0].role"),
        ([USER, {"role": "user"}], "messages[1].content"),
        ([{"role": "system", "content": None}, USER], "messages[0].content"),
        ([{"role": "developer", "content": ""}, {"role": "user", "content": []}], None),
        ([USER, {"role": "tool", "content": "42"}], "messages[1].tool_call_id"),
        ([USER, CALL, {"role": "tool", "content": "42", "tool_call_id": "c2"}], "messages[2].tool_call_id"),
        ([{"role": "tool", "content": "42", "tool_call_id": "c1"}, CALL], "messages[0].tool_call_id"),
        ([USER, CALL, {"role": "tool", "content": "42", "tool_call_id": "c1"}, USER], None),
        ([{"role": "developer", "content": "be"}, {"role": "function", "name": "f", "content": "1"}, USER], None),
    ],
)
async def test_roles(messages: list[dict[str, object]], param: str | None) -> None:
    """Known roles in any order and with something to say; a tool's result only behind the call that it answers."""
    assert (await judged(talking(*messages)))[0] == param


async def test_leniency() -> None:
    """What a provider may judge by itself is left to it, by default or for single routes."""
    odd = {"temperature": 7, "messages": [{"role": "king", "content": "hi"}]}

    assert await judged(asking(**odd), LENIENT) == (None, "")  # type: ignore[arg-type]
    assert await judged(asking(model="loose", **odd)) == (None, "")  # type: ignore[arg-type]
    assert (await judged(asking(model="tight", **odd), LENIENT))[0] == "temperature"  # type: ignore[arg-type]


async def test_quantities() -> None:
    """Too many tools or images are refused whatever is strict."""
    tool = {"type": "function", "function": {"name": "f"}}
    image = {"type": "image_url", "image_url": {"url": "data:,"}}
    pictures: dict[str, object] = {"role": "user", "content": [image] * 2}

    assert await judged(asking(tools=[tool] * 2), LENIENT) == (None, "")
    assert (await judged(asking(tools=[tool] * 3), LENIENT))[0] == "tools"
    assert await judged(talking(pictures), LENIENT) == (None, "")
    assert (await judged(talking(pictures, pictures), LENIENT))[0] == "messages"


@pytest.mark.parametrize(
    ("raw", "twice"),
    [
        (b'{"model":"fast","messages":[{"role":"user","content":"a"}],"model":"dear"}', True),
        (b'{"model":"fast","stream":false,"messages":[{"role":"user","content":"a"}],"stream":true}', True),
        (b'{"model":"fast","messages":[],"messages":[{"role":"user","content":"a"}]}', True),
        (b'{"model":"fast","messages":[{"role":"user","content":"\\"model\\"","model":1}]}', False),
        (b'{"model":"fast","messages":[{"role":"user","content":"a"}],"metadata":{"model":"x","stream":1}}', False),
        (b'{"model":"fast","messages":[{"role":"user","content":"a"}],"user":"a","user":"b"}', False),
    ],
)
@pytest.mark.parametrize("long", [False, True])
async def test_bodies_that_say_something_twice(raw: bytes, twice: bool, long: bool) -> None:
    """Whoever reads the first and whoever reads the last must not see different requests; deeper down it is content."""
    if long:
        raw = b'{"x":"%b",%b' % (b"x" * LONG_BYTES, raw[1:])

    assert ((await judged(chat_request(raw)))[1] == "A top-level field appears twice in the body.") == twice


async def test_other_operations_are_bounded_too() -> None:
    """Their depth, their text, their fields; a body that is no JSON has only a size."""

    def plain(raw: bytes, *text: str, media_type: str = "application/json") -> PlainRequest:
        return PlainRequest(Operation.EMBEDDINGS, "m", raw, media_type=media_type, text=text)

    deep = b"[" * 100 + b"]" * 100

    assert await judged(plain(b'{"model":"m","input":"a"}', "a")) == (None, "")
    assert (await judged(plain(b"{}", "a" * 101)))[0] == "input"
    assert "nested" in (await judged(plain(b'{"input":' + deep + b"}")))[1]
    assert "twice" in (await judged(plain(b'{"input":"a","input":"b"}')))[1]
    assert await judged(plain(deep, media_type="multipart/form-data")) == (None, "")


@pytest.mark.parametrize(
    ("session", "message", "param"),
    [
        ("sess_" + "0" * 32, RESULT, None),
        ("sess_" + "0" * 32, {"role": "tool", "content": "42"}, "messages[0].tool_call_id"),
        ("my-words", RESULT, "messages[0].tool_call_id"),
        (None, RESULT, "messages[0].tool_call_id"),
    ],
)
def test_the_call_of_a_tool_may_stand_in_the_session(
    session: str | None, message: dict[str, object], param: str | None
) -> None:
    """A turn need not repeat the call that it answers, but says which one that is; other words are no session."""
    call = a_call(talking(message), options=CallOptions(session=session))

    refused: GatewayError | None = None
    try:
        Validate(STRICT).check(call)
    except GatewayError as error:
        refused = error

    assert (None if refused is None else refused.param) == param


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"previous_response_id": "resp_0"}, None),
        ({"conversation": {"id": "conv_0"}}, None),
        ({"previous_response_id": None}, "messages[0].tool_call_id"),
    ],
)
async def test_the_call_of_a_tool_may_stand_in_what_the_provider_keeps(more: dict[str, Any], param: str | None) -> None:
    """A response that continues another brings the result alone."""
    found, _ = await judged(talking(RESULT, **more))

    assert found == param


async def test_a_past_excuses_nothing_else() -> None:
    """What is wrong with the messages that are there stays wrong."""
    found, _ = await judged(talking(RESULT, {"role": "wizard", "content": "a"}, previous_response_id="resp_0"))

    assert found == "messages[1].role"
