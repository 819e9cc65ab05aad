"""What is refused before anything else is touched: sizes and characters."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.call import Call
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.model import ChatRequest
from app.core.pipeline import compose
from app.stages.validate import Validate, ValidateOptions
from tests.support.calls import FakeProvider, a_call, answers, asking, chat_request

BOUNDS = ValidateOptions(max_messages=3, max_prompt_chars=20, max_json_depth=64, allow_control_chars=False)
ROOMY = msgspec.structs.replace(BOUNDS, max_prompt_chars=1_000_000)
FORBIDDEN = [chr(code) for code in range(32) if chr(code) not in "\t\n\r"]


async def passed_on(request: ChatRequest, options: ValidateOptions = BOUNDS) -> list[Call]:
    """Send a request through the stage, and return the calls that arrived below it."""
    provider = FakeProvider(answers())
    await compose([Validate(options)], provider)(a_call(request))
    return [asked for asked in provider.asked if isinstance(asked, Call)]


async def refusal(request: ChatRequest, options: ValidateOptions = BOUNDS) -> GatewayError:
    """Send a request that the stage refuses, see that nothing arrived below it, and return the error."""
    provider = FakeProvider()
    with pytest.raises(GatewayError) as caught:
        await compose([Validate(options)], provider)(a_call(request))
    assert provider.asked == []
    assert caught.value.kind is INVALID_REQUEST
    return caught.value


def user(content: object, **fields: object) -> dict[str, object]:
    """Return a user's message."""
    return {"role": "user", "content": content, **fields}


def calling(*arguments: str | None) -> dict[str, object]:
    """Return an assistant's message that calls a function once for each of `arguments`."""
    calls = [{"id": "c", "function": {"name": "f", "arguments": given}} for given in arguments]
    return {"role": "assistant", "tool_calls": calls}


async def test_a_sound_request_passes_unchanged() -> None:
    """The very call that came in goes on."""
    request = asking("hi")

    (call,) = await passed_on(request)

    assert call.request is request


async def test_a_request_needs_a_model() -> None:
    """An empty model name is refused as such, before anybody looks it up."""
    assert (await refusal(asking(model=""))).param == "model"


async def test_a_request_needs_a_message() -> None:
    """A conversation without messages is refused."""
    assert (await refusal(asking(messages=[]))).param == "messages"


async def test_messages_are_counted() -> None:
    """The configured number of messages passes, one more is refused with both numbers."""
    await passed_on(asking(messages=[user("hi")] * 3))

    error = await refusal(asking(messages=[user("hi")] * 4))

    assert error.param == "messages"
    assert "4 messages; at most 3" in error.message


@pytest.mark.parametrize(
    "messages",
    [
        [user("x" * 20)],
        [user("x" * 10), user("ä" * 10)],
        [user([{"type": "text", "text": "x" * 15}, {"type": "text", "text": "x" * 5}])],
        [user("x" * 8), calling("x" * 12)],
        [user("x" * 19 + "\N{GRINNING FACE}")],
    ],
    ids=["one", "several", "parts", "arguments", "one character of four bytes"],
)
async def test_text_is_counted_wherever_it_stands(messages: list[dict[str, object]]) -> None:
    """All text of all messages counts, in characters; exactly the bound passes, and one more is refused."""
    await passed_on(asking(messages=messages))

    error = await refusal(asking(messages=[*messages, user("x")]), BOUNDS)

    assert error.param == "messages"
    assert "21 characters; at most 20" in error.message


async def test_only_text_is_counted() -> None:
    """Images, empty parts, empty calls and messages without content are no text."""
    image = {"type": "image_url", "image_url": {"url": "data:" + "x" * 100}}
    messages = [user([image, {"type": "text", "text": None}]), calling(None)]
    unnamed = {"role": "assistant", "content": None, "tool_calls": [{"id": "c", "type": "custom"}]}

    assert await passed_on(asking(messages=messages))
    assert await passed_on(asking(messages=[unnamed]))


@pytest.mark.parametrize(
    ("place", "path"),
    [
        (lambda text: [user(text)], "messages[0].content"),
        (lambda text: [user("hi"), user(text)], "messages[1].content"),
        (lambda text: [user([{"type": "text", "text": text}])], "messages[0].content[0].text"),
        (lambda text: [user([{"type": "file"}, {"type": "text", "text": text}])], "messages[0].content[1].text"),
        (lambda text: [user([{"type": "refusal", "refusal": text}])], "messages[0].content[0].refusal"),
        (lambda text: [calling(text)], "messages[0].tool_calls[0].function.arguments"),
        (lambda text: [user("hi"), calling("{}", text)], "messages[1].tool_calls[1].function.arguments"),
    ],
    ids=["content", "second message", "part", "second part", "refusal", "arguments", "second call"],
)
async def test_control_characters_are_found_in_every_place(place: Callable[[str], object], path: str) -> None:
    """A control character is refused with the path of the text that holds it, and passes where that is configured."""
    allowing = msgspec.structs.replace(BOUNDS, allow_control_chars=True)
    requests = [asking(messages=place(f"a{character}b")) for character in FORBIDDEN]

    errors = [await refusal(request) for request in requests]

    assert {error.param for error in errors} == {path}
    assert {error.message for error in errors} == {errors[0].message}
    assert "validation.allow_control_chars" in errors[0].message
    assert all([await passed_on(request, allowing) for request in requests])


@pytest.mark.parametrize("spelling", [rb"\u0000", rb"\u001f", rb"\u001F", rb"\u000B", rb"\b", rb"\f"])
async def test_every_spelling_of_a_control_character_is_found(spelling: bytes) -> None:
    """However JSON writes a control character, the text that it means is what counts."""
    raw = b'{"model":"fast","messages":[{"role":"user","content":"a' + spelling + b'b"}]}'

    assert (await refusal(chat_request(raw))).param == "messages[0].content"


@pytest.mark.parametrize(
    "text", ["\t", "\n", "\r\n", "\x7f", "\u0085", "\u2028", r"\u0001", r"\b", r"\\f", "\N{GRINNING FACE}"]
)
async def test_what_only_looks_like_a_control_character_passes(text: str) -> None:
    """Tabs and line breaks are text, and so are backslashes in front of letters."""
    assert await passed_on(asking(text), ROOMY)


@settings(deadline=None)
@given(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs"]), min_size=1))
async def test_exactly_the_control_characters_are_refused(text: str) -> None:
    """A text is refused if and only if it holds a C0 control character that is no white space."""
    forbidden = any(character in FORBIDDEN for character in text)

    await (refusal(asking(text), ROOMY) if forbidden else passed_on(asking(text), ROOMY))


async def test_a_character_is_reported_before_the_size() -> None:
    """A text that is both too long and unclean is refused for the character, whose place can be named."""
    error = await refusal(asking("x" * 100 + "\x00"))

    assert error.param == "messages[0].content"


async def test_messages_of_errors_name_no_text() -> None:
    """No refusal quotes what the caller wrote."""
    for request in (asking("secret" * 10), asking("secret\x00"), asking(messages=[user("secret")] * 4)):
        error = await refusal(request)

        assert "secret" not in error.message
