"""Tokens are counted by those who can, and estimated for all others."""

from __future__ import annotations

import json

import msgspec
import pytest

from app.core.call import Reply, Target
from app.core.errors import INVALID_REQUEST, TARGET_BUSY, TARGET_MODEL_MISSING, UNSUPPORTED_FEATURE, GatewayError, Kind
from app.core.model import Completion, Operation, PlainRequest, Request
from app.core.pipeline import compose
from app.stages.count_tokens import CountTokens
from tests.support.calls import FakeProvider, a_call, an_attempt, answers, asking, fails, raises

COUNTING, OTHER = Target("claude", "m"), Target("gpt", "m")
REQUEST = PlainRequest(Operation.COUNT_TOKENS, "m", b"{}", tokens=42)


async def counted(provider: FakeProvider, target: Target, request: Request = REQUEST) -> Reply:
    """Send a request through the stage."""
    call = msgspec.structs.replace(a_call(asking()), request=request)
    stage = CountTokens(frozenset({"claude"}), lambda target: target.model == "nothing")
    return await compose([stage], provider)(an_attempt(call, target))


def told(reply: Reply) -> object:
    """Return what a whole answer says."""
    assert isinstance(reply.body, Completion)
    return json.loads(reply.body.raw)


async def test_who_can_count_is_asked() -> None:
    """The provider's own answer is passed on."""
    provider = FakeProvider(answers("of the provider"))

    reply = await counted(provider, COUNTING)

    assert len(provider.attempts) == 1
    assert "of the provider" in str(told(reply))


async def test_who_cannot_count_is_not_asked() -> None:
    """The estimate is the answer."""
    provider = FakeProvider()

    reply = await counted(provider, OTHER)

    assert provider.attempts == []
    assert told(reply) == {"input_tokens": 42}


@pytest.mark.parametrize("kind", [TARGET_MODEL_MISSING, UNSUPPORTED_FEATURE])
async def test_who_turns_out_to_lack_it_gets_the_estimate(kind: Kind) -> None:
    """Servers that imitate an API do not have all of it."""
    assert told(await counted(FakeProvider(fails(kind)), COUNTING)) == {"input_tokens": 42}


@pytest.mark.parametrize("kind", [INVALID_REQUEST, TARGET_BUSY])
async def test_failures_are_failures(kind: Kind) -> None:
    """A refusal says something about the request, which an estimate would hide."""
    with pytest.raises(GatewayError) as caught:
        await counted(FakeProvider(fails(kind)), COUNTING)

    assert caught.value.kind is kind


async def test_a_model_that_its_provider_names_is_missing() -> None:
    """Then it is not the address that is not there, and an estimate would promise a model."""
    with pytest.raises(GatewayError) as caught:
        await counted(FakeProvider(raises(GatewayError(TARGET_MODEL_MISSING, "No model.", param="model"))), COUNTING)

    assert caught.value.kind is TARGET_MODEL_MISSING


async def test_a_model_is_missing_that_is_known_not_to_be_there() -> None:
    """The failure is the provider's, as it is of a message that is sent there."""
    with pytest.raises(GatewayError) as caught:
        await counted(FakeProvider(), Target("gpt", "nothing"))

    error = caught.value
    assert (error.kind, error.provider, error.message) == (TARGET_MODEL_MISSING, "gpt", "'gpt' has no model 'nothing'.")


@pytest.mark.parametrize("request_", [asking(), PlainRequest(Operation.EMBEDDINGS, "m", b"{}")])
async def test_everything_else_passes(request_: Request) -> None:
    """Only requests that count tokens are counted here."""
    provider = FakeProvider(answers("an answer"))

    reply = await counted(provider, OTHER, request_)

    assert "an answer" in str(told(reply))
