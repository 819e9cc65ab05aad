"""Providers that are down by their probes: which attempts at them are made all the same."""

from __future__ import annotations

import pytest

from app.core.call import Attempt, CallOptions, Tried
from app.core.errors import CIRCUIT_OPEN, TARGET_FAILED, GatewayError
from app.core.health import Probing, ProviderHealth
from app.core.pipeline import Handler, compose
from app.stages.health import Health
from tests.support.calls import OTHER, TARGET, FakeProvider, a_call, an_attempt, answers, text_of
from tests.support.virtual_time import VirtualClock


def asking(clock: VirtualClock, *, failing: bool) -> tuple[Handler[Attempt], FakeProvider]:
    """Return the stage before a provider whose last probe failed, or did not."""
    provider, health = FakeProvider(answers("hello")), ProviderHealth()
    probing = Probing(TARGET.provider, "small", 30.0, 5.0, stream=False, failures=1)
    health.note(probing, GatewayError(TARGET_FAILED, "no") if failing else None, 0.1, clock.now(), lambda _signal: None)
    return compose([Health(health, clock)], provider), provider


async def test_a_provider_that_is_up_is_asked(clock: VirtualClock) -> None:
    """Nothing stands in the way of a provider that answers."""
    handler, _ = asking(clock, failing=False)

    reply = await handler(an_attempt())

    assert await text_of(reply) == "hello"


async def test_a_provider_that_is_down_is_not(clock: VirtualClock) -> None:
    """It is refused as by an open circuit, with the time until more is known."""
    handler, provider = asking(clock, failing=True)

    with pytest.raises(GatewayError) as caught:
        await handler(an_attempt())

    assert (caught.value.kind, caught.value.retry_after_s, caught.value.provider) == (
        CIRCUIT_OPEN,
        30.0,
        TARGET.provider,
    )
    assert provider.attempts == []


async def test_other_providers_are(clock: VirtualClock) -> None:
    """Only the provider that is down is left alone."""
    handler, _ = asking(clock, failing=True)

    reply = await handler(Attempt(a_call(), OTHER, last=False))

    assert await text_of(reply) == "hello"


async def test_the_last_hope_is_tried(clock: VirtualClock) -> None:
    """Where every other target is left alone as well, this one is asked, however it is."""
    handler, _ = asking(clock, failing=True)
    call = a_call()
    call.journal.tried.append(Tried(OTHER, CIRCUIT_OPEN.code))

    reply = await handler(Attempt(call, TARGET, last=True))

    assert await text_of(reply) == "hello"


async def test_calls_may_pass_it_by(clock: VirtualClock) -> None:
    """Who wants no circuit breaking gets none."""
    handler, _ = asking(clock, failing=True)

    reply = await handler(Attempt(a_call(options=CallOptions(circuit_breaker=False)), TARGET, last=False))

    assert await text_of(reply) == "hello"
