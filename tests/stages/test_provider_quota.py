"""Following the limits of providers."""

from __future__ import annotations

import pytest

from app.core.errors import TARGET_RATE_LIMITED, GatewayError
from app.core.limits.quotas import Left, Quotas
from app.core.pipeline import compose
from app.core.rules import Measure
from app.stages.provider_quota import ProviderQuota
from tests.support.calls import OTHER, TARGET, FakeProvider, an_attempt, answers, text_of
from tests.support.virtual_time import VirtualClock


async def test_a_target_whose_limit_is_used_up_is_left_alone(clock: VirtualClock) -> None:
    """Until its reset, which the refusal tells; as the gateway's word about the provider."""
    quotas = Quotas()
    quotas.hear(TARGET.name, {Measure.TOKENS: Left(3, clock.now() + 20.0)})
    handler = compose([ProviderQuota(quotas, {"acme"}, clock)], FakeProvider(answers("later")))

    with pytest.raises(GatewayError) as caught:
        await handler(an_attempt())
    await clock.sleep(20.0)
    text = await text_of(await handler(an_attempt()))

    error = caught.value
    assert (error.kind, error.retry_after_s, error.provider) == (TARGET_RATE_LIMITED, 20.0, "acme")
    assert (error.from_upstream, error.message) == (False, "'acme' said that its limit of tokens is used up for 20 s.")
    assert text == "later"


async def test_only_who_is_followed_is_left_alone(clock: VirtualClock) -> None:
    """Other providers are asked whatever they said."""
    quotas = Quotas()
    quotas.hear(OTHER.name, {Measure.REQUESTS: Left(0, clock.now() + 20.0)})
    handler = compose([ProviderQuota(quotas, {"acme"}, clock)], FakeProvider(answers("a"), answers("b")))

    texts = [await text_of(await handler(an_attempt(target=target))) for target in (OTHER, TARGET)]

    assert texts == ["a", "b"]
