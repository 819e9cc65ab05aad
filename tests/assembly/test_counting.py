"""Which providers count tokens themselves follows from their kind and address."""

from __future__ import annotations

import msgspec
import pytest

from app.assembly.attempts import count_tokens
from app.config.schema import Settings
from app.core.call import Reply, Target
from app.core.model import Completion, Operation, PlainRequest
from app.core.pipeline import compose
from tests.support.calls import FakeProvider, a_call, an_attempt, answers, asking

PROVIDERS = {
    "own": {"kind": "anthropic", "api_key": "k"},
    "imitation": {"kind": "anthropic", "api_key": "k", "base_url": "http://127.0.0.1:1/anthropic"},
    "other": {"kind": "openai", "api_key": "k"},
}


@pytest.mark.parametrize(("provider", "asks"), [("own", True), ("imitation", True), ("other", False)])
async def test_providers_of_anthropics_dialect_count(provider: str, asks: bool) -> None:
    """All others get an estimate."""
    below = FakeProvider(answers())
    settings = Settings.model_validate({"providers": PROVIDERS})
    call = msgspec.structs.replace(a_call(asking()), request=PlainRequest(Operation.COUNT_TOKENS, "m", b"{}", tokens=7))

    reply: Reply = await compose([count_tokens(settings)], below)(an_attempt(call, Target(provider, "m")))

    assert isinstance(reply.body, Completion)
    assert (reply.body.raw == b'{"input_tokens":7}') is not asks
