"""A route's own system message, and what becomes of those that callers send."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from app.core.call import Call
from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.model import ChatRequest, Native, Operation, PlainRequest, Request
from app.core.pipeline import compose
from app.stages.system_prompt import SystemPrompt, SystemPromptOptions
from tests.support.calls import FakeProvider, a_call, answers, chat_request

BODY = (
    b'{"model":"fast","future":1.50,"messages":[{"role":"system","content":"mine"},'
    b'{"role":"user","content":"hi","extra":[1e2]},{"role":"developer","content":"too"}]}'
)
Callers = Literal["keep", "drop", "refuse"]


async def sent(request: Request, prompt: str | None, callers: Callers = "keep") -> Request:
    """Return the request that arrives below the stage."""
    provider = FakeProvider(answers())
    await compose([SystemPrompt({"fast": SystemPromptOptions(prompt, callers)})], provider)(a_call(request))
    (call,) = provider.asked
    assert isinstance(call, Call)
    return call.request


def roles(request: Request) -> list[tuple[str, object]]:
    """Return role and content of each message, and see that body and fields agree."""
    assert isinstance(request, ChatRequest)
    found: list[tuple[str, object]] = [(message.role, message.content) for message in request.fields.messages]
    assert [(each["role"], each["content"]) for each in msgspec.json.decode(request.raw)["messages"]] == found
    return found


@pytest.mark.parametrize(
    ("prompt", "callers", "expected"),
    [
        ("ours", "keep", ["ours", "mine", "hi", "too"]),
        ("ours", "drop", ["ours", "hi"]),
        (None, "drop", ["hi"]),
    ],
)
async def test_messages(prompt: str | None, callers: Callers, expected: list[str]) -> None:
    """The route's comes first; everything else keeps its place and its bytes."""
    request = await sent(chat_request(BODY), prompt, callers)

    assert [content for _, content in roles(request)] == expected
    assert b'"future":1.50' in request.raw
    assert b'{"role":"user","content":"hi","extra":[1e2]}' in request.raw


async def test_callers_that_may_not_instruct_are_told() -> None:
    """The first of their messages is named."""
    with pytest.raises(GatewayError) as caught:
        await sent(chat_request(BODY), "ours", "refuse")

    assert (caught.value.kind, caught.value.param) == (INVALID_REQUEST, "messages[0].role")


async def test_without_a_system_message_nothing_is_refused() -> None:
    """Nothing but the route's own message is added."""
    request = chat_request(b'{"model":"fast","messages":[{"role":"user","content":"hi"}]}')

    assert [content for _, content in roles(await sent(request, "ours", "refuse"))] == ["ours", "hi"]
    assert await sent(request, None, "drop") is request


async def test_other_routes_and_operations_pass_untouched() -> None:
    """Only chats of routes that have something to say are changed."""
    other = chat_request(BODY.replace(b"fast", b"slow"))
    plain = PlainRequest(Operation.EMBEDDINGS, "fast", b"{}")

    assert await sent(other, "ours") is other
    assert await sent(plain, "ours") is plain


async def test_a_changed_request_is_no_longer_what_the_client_sent() -> None:
    """The body in the client's own dialect would bypass the route's message."""
    request = msgspec.structs.replace(chat_request(BODY), origin=Native("anthropic", b"{}"), translated=True)

    changed = await sent(request, "ours")

    assert isinstance(changed, ChatRequest)
    assert (changed.origin, changed.translated) == (None, True)
