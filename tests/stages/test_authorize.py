"""Holding callers to the models that their keys allow."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from app.core.call import Call
from app.core.errors import FORBIDDEN, GatewayError
from app.core.identity import ANONYMOUS, Caller
from app.core.pipeline import compose
from app.core.routing.table import canonical
from app.core.signals import CallForbidden, Signal
from app.stages.authorize import Authorize
from tests.support.calls import FakeProvider, a_call, answers, asking, text_of

NAMED = partial(canonical, routes={"fast"}, providers={"openai"})


def asked(model: str, caller: Caller) -> Call:
    """Return a call of a caller for a model."""
    return msgspec.structs.replace(a_call(asking(model=model)), caller=caller)


def limited(*models: str) -> Caller:
    """Return a caller who may use these models."""
    return Caller("key_1", "key_1", models=models)


@pytest.mark.parametrize(
    ("model", "caller"),
    [
        ("anything", ANONYMOUS),
        ("fast", limited("fast")),
        ("openai/gpt-4o", limited("fast", "openai/*")),
        ("openai:gpt-4o", limited("openai/*")),
        ("openai/gpt-4o", limited("openai:*")),
        ("openai:gpt-4o", limited("openai:gpt-4o")),
        ("nobody/else", limited("*")),
    ],
)
async def test_what_is_allowed(model: str, caller: Caller) -> None:
    """Whoever has no list, and whatever the list has, in each way to write it."""
    handler = compose([Authorize(NAMED, print)], FakeProvider(answers()))

    assert await text_of(await handler(asked(model, caller))) == "hello"


@pytest.mark.parametrize(
    ("model", "caller"), [("big", limited("fast")), ("openai:gpt-4o", limited()), ("x", limited("f*"))]
)
async def test_what_is_not(model: str, caller: Caller) -> None:
    """Nothing is asked of a provider, and the caller learns which model it was."""
    told: list[Signal] = []
    provider = FakeProvider()
    handler = compose([Authorize(NAMED, told.append)], provider)

    with pytest.raises(GatewayError, match=model) as caught:
        await handler(asked(model, caller))

    assert (caught.value.kind, caught.value.param) == (FORBIDDEN, "model")
    assert told == [CallForbidden("req_1", "key_1")]
    assert not provider.asked


@pytest.mark.parametrize("roles", [None, ("user",), ("system", "user")])
async def test_roles_that_are_allowed(roles: tuple[str, ...] | None) -> None:
    """Whoever has no list may send any; embeddings and the like have none."""
    caller = Caller("key_1", "key_1", roles=roles)
    handler = compose([Authorize(NAMED, print)], FakeProvider(answers()))

    assert await text_of(await handler(asked("fast", caller))) == "hello"


@pytest.mark.parametrize(("roles", "said"), [(("assistant",), "only: assistant"), ((), "only: none")])
async def test_roles_that_are_not(roles: tuple[str, ...], said: str) -> None:
    """The first message of such a role is named, and what would be accepted."""
    told: list[Signal] = []
    caller, provider = Caller("key_1", "key_1", roles=roles), FakeProvider()
    handler = compose([Authorize(NAMED, told.append)], provider)

    with pytest.raises(GatewayError, match=said) as caught:
        await handler(asked("fast", caller))

    assert (caught.value.kind, caught.value.param) == (FORBIDDEN, "messages[0].role")
    assert told == [CallForbidden("req_1", "key_1")]
    assert not provider.asked
