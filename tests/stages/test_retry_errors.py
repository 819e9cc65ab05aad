"""Which failures are retried, and how many retries a dead target sees."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Attempt, Call, CallOptions, Reply
from app.core.errors import (
    CIRCUIT_OPEN,
    CONFLICT,
    OVERLOADED,
    TARGET_BUSY,
    TARGET_FAILED,
    TARGET_RATE_LIMITED,
    TARGET_TIMEOUT,
    TARGET_UNAVAILABLE,
    TIMEOUT_FIRST_TOKEN,
    GatewayError,
    Kind,
)
from app.core.pipeline import Handler, compose
from app.core.traffic.retry_budget import RetryBudgets
from app.stages.retry import Retry, RetryOptions
from tests.support.calls import FakeProvider, a_call, an_attempt, fails
from tests.support.virtual_time import VirtualClock


def refusal(kind: Kind, status: int | None = None) -> GatewayError:
    """Return a failure, with the provider's status if it was an answer."""
    error = GatewayError(kind, "scripted")
    error.upstream_status = status
    return error


async def tries_of(
    error: GatewayError, errors: frozenset[str | int] | None, *, last: bool = True, retry: bool = True
) -> int:
    """Return how often a target that always fails like this is asked."""

    async def step(_call: Call) -> Reply:
        raise error

    provider = FakeProvider(step, step, step)
    options = RetryOptions(3, 0.5, 8.0, 2.0, 0.0, errors)
    stage = Retry(options, RetryBudgets(0.0, 1000.0), VirtualClock(), lambda: 0.5, lambda _: None)
    attempt = an_attempt(a_call(options=CallOptions(retry=retry)), last=last)
    with pytest.raises(GatewayError):
        await compose([stage], provider)(attempt)
    assert attempt.call.journal.retries_spent == (len(provider.asked) == 3)
    return len(provider.asked)


@pytest.mark.parametrize(
    ("error", "errors", "tries"),
    [
        (refusal(TARGET_FAILED, 500), frozenset({"upstream"}), 3),
        (refusal(TARGET_FAILED, 500), frozenset({"target_failed"}), 3),
        (refusal(TARGET_FAILED, 500), frozenset({500}), 3),
        (refusal(TARGET_FAILED, 500), frozenset({501, "network"}), 1),
        (refusal(TARGET_FAILED, 500), frozenset(), 1),
        (refusal(TARGET_UNAVAILABLE), frozenset({500}), 1),
        (refusal(TARGET_UNAVAILABLE), frozenset({"network"}), 3),
        (refusal(TARGET_TIMEOUT, 408), frozenset({"timeout"}), 3),
        (refusal(CONFLICT, 409), None, 1),
        (refusal(CONFLICT, 409), frozenset({409}), 3),
    ],
)
async def test_what_is_listed_is_retried(error: GatewayError, errors: frozenset[str | int] | None, tries: int) -> None:
    """A list of families, codes and statuses takes the place of the table's own choice."""
    assert await tries_of(error, errors) == tries


@pytest.mark.parametrize(
    ("kind", "word"),
    [(TARGET_BUSY, 503), (TARGET_RATE_LIMITED, "rate_limit"), (TIMEOUT_FIRST_TOKEN, "timeout_first_token")],
)
async def test_another_target_goes_first_although_it_is_listed(kind: Kind, word: str | int) -> None:
    """The list says what is tried again; that a busy target is left for another one first stays as it is."""
    error = refusal(kind, 503)

    assert await tries_of(error, frozenset({word}), last=False) == 1
    assert await tries_of(error, frozenset({word}), last=True) == 3


@pytest.mark.parametrize("kind", [OVERLOADED, CIRCUIT_OPEN])
@pytest.mark.parametrize("errors", [None, frozenset({"overloaded", "circuit_breaker"})])
async def test_a_refusal_of_our_own_is_not_waited_for(kind: Kind, errors: frozenset[str | int] | None) -> None:
    """What the gateway had no room for, or left alone, goes back to the client at once."""
    assert await tries_of(refusal(kind), errors) == 1


@pytest.mark.parametrize("kind", [OVERLOADED, CIRCUIT_OPEN])
async def test_what_the_target_said_goes_before_a_refusal_of_our_own(kind: Kind, clock: VirtualClock) -> None:
    """A further try that is not let through ends the tries, with the failure that made it necessary."""
    provider, attempt = FakeProvider(fails(TARGET_FAILED), fails(kind)), an_attempt()
    stage = Retry(RetryOptions(3, 0.5, 8.0, 2.0, 0.0), RetryBudgets(0.0, 1000.0), clock, lambda: 0.5, lambda _: None)

    with pytest.raises(GatewayError) as caught:
        await compose([stage], provider)(attempt)

    assert caught.value.kind is TARGET_FAILED
    assert len(provider.asked) == 2
    assert attempt.call.journal.retries_spent


async def test_a_caller_who_retries_himself_is_left_to_it() -> None:
    """Without retries of ours none count as spent, so the client may go on with its own."""
    assert await tries_of(refusal(TARGET_FAILED, 500), None, retry=False) == 1


@pytest.mark.parametrize("calls_per_s", [1, 20, 200])
async def test_a_dead_target_is_not_flooded(calls_per_s: int, clock: VirtualClock) -> None:
    """Whatever the traffic, a dead target sees at most 1.2 times the calls, plus the floor."""
    ratio, floor_per_s, lasts_s, window_s = 0.2, 3.0, 30.0, 10.0
    seen: list[Attempt] = []

    async def dead(attempt: Attempt) -> Reply:
        seen.append(attempt)
        raise GatewayError(TARGET_UNAVAILABLE, "dead")

    budgets, options = RetryBudgets(ratio, floor_per_s), RetryOptions(3, 0.25, 8.0, 2.0, 0.25)
    handler: Handler[Attempt] = compose([Retry(options, budgets, clock, lambda: 0.7, lambda _: None)], dead)

    async def caller(number: int) -> None:
        await asyncio.sleep(number / calls_per_s)
        with pytest.raises(GatewayError):
            await handler(an_attempt(a_call(started=clock.now())))

    calls = int(lasts_s * calls_per_s)
    await asyncio.gather(*[caller(number) for number in range(calls)])

    assert len(seen) > calls
    assert len(seen) <= (1.0 + ratio) * calls + floor_per_s * (lasts_s + window_s)
