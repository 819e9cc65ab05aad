"""Holding callers to the models that their keys allow."""

from __future__ import annotations

from functools import partial

import msgspec
import pytest

from app.core.call import Call
from app.core.errors import FORBIDDEN, GatewayError
from app.core.identity import ANONYMOUS, Caller
from app.core.pipeline import compose
from app.core.routing.catalog import canonical
from app.core.signals import ModelForbidden, Signal
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
    assert told == [ModelForbidden("req_1", "key_1")]
    assert not provider.asked
