"""The two limits of time before the commit point."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Attempt, Call, Reply
from app.core.errors import TARGET_FAILED, TIMEOUT_FIRST_TOKEN, TIMEOUT_RESPONSE, TIMEOUT_TOTAL, GatewayError
from app.core.pipeline import Handler, Stage, compose
from app.core.traffic.retry_budget import RetryBudgets
from app.stages.fallback import Fallback
from app.stages.retry import Retry, RetryOptions
from app.stages.timeouts import AttemptTimeout, TotalTimeout
from tests.support.calls import (
    OTHER,
    TARGET,
    FakeProvider,
    Line,
    Step,
    a_call,
    an_attempt,
    answers,
    asking,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    word,
)
from tests.support.virtual_time import START_S, VirtualClock

FIRST_TOKEN_S = 30.0
STREAMED = asking(stream=True)


def limited(*script: Step) -> Handler[Call]:
    """Put the total timeout over a script."""
    return compose([TotalTimeout()], FakeProvider(*script))


def patient(*script: Step) -> Handler[Attempt]:
    """Put the attempt timeout over a script."""
    return compose([AttemptTimeout(FIRST_TOKEN_S)], FakeProvider(*script))


async def whole_way(call: Call, provider: FakeProvider, clock: VirtualClock) -> Reply:
    """Send a call through all stages that take time, to two targets."""
    retry = Retry(RetryOptions(3, 8.0, 8.0, 1.0, 0.0), RetryBudgets(1.0, 100.0), clock, lambda: 0.5, lambda _: None)
    stages: list[Stage[Attempt]] = [retry, AttemptTimeout(FIRST_TOKEN_S)]
    attempt: Handler[Attempt] = compose(stages, provider)
    fallback = Fallback(lambda _call: (TARGET, OTHER), attempt, {"timeout", "server_error"}, lambda _: None)
    return await compose([TotalTimeout()], fallback)(call)


async def test_an_answer_in_time_passes(clock: VirtualClock) -> None:
    """What comes before the deadline comes out, and the limit is gone with it."""
    reply = await limited(answers("hello", after_s=9.5))(a_call(total_s=10.0))

    await clock.sleep(60.0)

    assert await text_of(reply) == "hello"


async def test_a_call_ends_at_its_deadline(clock: VirtualClock) -> None:
    """At the deadline, not before and not after, the call fails and says how long it had."""
    with pytest.raises(GatewayError, match=r"within 12\.5 s") as caught:
        await limited(hangs())(a_call(total_s=12.5))

    assert caught.value.kind is TIMEOUT_TOTAL
    assert (caught.value.provider, caught.value.from_upstream) == (None, False)
    assert clock.now() == START_S + 12.5


async def test_a_deadline_counts_from_the_start_of_the_call(clock: VirtualClock) -> None:
    """Time spent before the stage is reached is part of the total."""
    call = a_call(total_s=10.0)
    await clock.sleep(8.0)

    with pytest.raises(GatewayError, match="within 10 s"):
        await limited(hangs())(call)

    assert clock.now() == START_S + 10.0


async def test_a_deadline_that_has_passed_ends_the_first_wait(clock: VirtualClock) -> None:
    """A call that arrives too late fails as soon as it would have to wait."""
    call = a_call(total_s=1.0)
    await clock.sleep(8.0)

    with pytest.raises(GatewayError) as caught:
        await limited(hangs())(call)

    assert caught.value.kind is TIMEOUT_TOTAL
    assert clock.now() == START_S + 8.0


async def test_retries_pauses_and_fallbacks_share_the_total(clock: VirtualClock) -> None:
    """The deadline falls in the middle of whatever is going on below."""
    provider = FakeProvider(
        fails(TARGET_FAILED, after_s=10.0), fails(TARGET_FAILED, after_s=10.0), fails(TARGET_FAILED), hangs()
    )

    with pytest.raises(GatewayError) as caught:
        await whole_way(a_call(total_s=40.0), provider, clock)

    assert caught.value.kind is TIMEOUT_TOTAL
    assert clock.now() == START_S + 40.0
    assert provider.targets == [TARGET, TARGET, TARGET, OTHER]


async def test_the_total_ends_at_the_commit_point(clock: VirtualClock) -> None:
    """A stream that has begun is not this stage's business any more."""
    reply = await limited(streams(Line(word("a"), 60.0, word("b"))))(a_call(STREAMED, total_s=10.0))

    assert await text_of(reply) == "ab"
    assert clock.now() == START_S + 60.0


@pytest.mark.parametrize("after_s", [0.0, 5.0])
async def test_a_timeout_from_below_is_not_taken_for_the_total(after_s: float) -> None:
    """A `TimeoutError` that somebody else raised passes as what it is."""
    error = TimeoutError("from below")

    with pytest.raises(TimeoutError) as caught:
        await limited(raises(error, after_s=after_s))(a_call(total_s=10.0))

    assert caught.value is error


async def test_a_client_that_leaves_is_not_taken_for_the_total() -> None:
    """A cancellation from outside stays one."""
    task = asyncio.ensure_future(limited(hangs())(a_call(total_s=10.0)))
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()


async def test_a_stream_that_says_nothing_is_given_up(clock: VirtualClock) -> None:
    """Without a first token in time the attempt fails, naming the provider, and frees the connection."""
    line = Line(role(), 1e9)

    with pytest.raises(GatewayError, match=r"acme sent no token within 30 s\.") as caught:
        await patient(streams(line))(an_attempt(a_call(STREAMED)))

    assert caught.value.kind is TIMEOUT_FIRST_TOKEN
    assert (caught.value.provider, caught.value.from_upstream) == ("acme", False)
    assert clock.now() == START_S + FIRST_TOKEN_S
    assert line.released == 1


async def test_a_first_token_in_time_ends_the_wait(clock: VirtualClock) -> None:
    """After the first token the provider may take its time."""
    line = Line(role(), 29.0, word("a"), 600.0, word("b"))

    reply = await patient(streams(line))(an_attempt(a_call(STREAMED)))

    assert await text_of(reply) == "ab"
    assert clock.now() == START_S + 629.0


async def test_a_whole_answer_has_no_first_token(clock: VirtualClock) -> None:
    """An answer that comes all at once may take longer than a first token."""
    reply = await patient(answers("hello", after_s=90.0))(an_attempt(a_call()))

    assert await text_of(reply) == "hello"
    assert clock.now() == START_S + 90.0


async def test_a_whole_answer_may_have_a_limit_of_its_own(clock: VirtualClock) -> None:
    """A provider that hangs is given up; one that answers in time is not, and a stream does not care."""
    stage = AttemptTimeout(FIRST_TOKEN_S, 60.0)
    line = Line(role(), word("a"), 90.0, word("b"))
    handler = compose([stage], FakeProvider(hangs(), answers("hello", after_s=59.0), streams(line)))

    with pytest.raises(GatewayError, match=r"acme gave no answer within 60 s\.") as caught:
        await handler(an_attempt(a_call()))
    given_up = clock.now()
    whole = await handler(an_attempt(a_call()))
    streamed = await handler(an_attempt(a_call(STREAMED)))

    assert (caught.value.kind, caught.value.provider, given_up) == (TIMEOUT_RESPONSE, "acme", START_S + 60.0)
    assert (await text_of(whole), await text_of(streamed)) == ("hello", "ab")


async def test_a_whole_answer_leaves_time_for_the_next_target(clock: VirtualClock) -> None:
    """A silent target costs half of the call's time; the last one has all that is left."""
    provider = FakeProvider(hangs(), answers("hello", after_s=19.0))

    reply = await whole_way(a_call(total_s=40.0), provider, clock)

    assert await text_of(reply) == "hello"
    assert provider.targets == [TARGET, OTHER]
    assert clock.now() == START_S + 39.0


async def test_a_whole_answer_that_takes_half_the_time_says_so(clock: VirtualClock) -> None:
    """It is the target's failure, for its circuit and the log."""
    attempt = an_attempt(a_call(total_s=41.0), last=False)

    with pytest.raises(GatewayError, match=r"acme did not answer within 20\.5 s, half of the time") as caught:
        await patient(hangs())(attempt)

    assert caught.value.kind is TIMEOUT_RESPONSE
    assert (caught.value.provider, caught.value.from_upstream) == ("acme", False)
    assert "total_s" in caught.value.suggestion
    assert clock.now() == START_S + 20.5


async def test_each_attempt_waits_for_its_own_first_token(clock: VirtualClock) -> None:
    """A silent first target costs its limit and no more; the second one has a full limit of its own."""
    provider = FakeProvider(hangs(), streams(Line(29.0, word("hi"))))

    reply = await whole_way(a_call(STREAMED), provider, clock)

    assert await text_of(reply) == "hi"
    assert provider.targets == [TARGET, OTHER]
    assert clock.now() == START_S + FIRST_TOKEN_S + 29.0


@pytest.mark.parametrize("after_s", [0.0, 5.0])
async def test_a_timeout_from_below_is_not_taken_for_a_silent_provider(after_s: float) -> None:
    """A `TimeoutError` that somebody else raised passes as what it is."""
    error = TimeoutError("from below")

    with pytest.raises(TimeoutError) as caught:
        await patient(raises(error, after_s=after_s))(an_attempt(a_call(STREAMED)))

    assert caught.value is error


async def test_a_client_that_leaves_is_not_taken_for_a_silent_provider() -> None:
    """A cancellation from outside stays one, for a stream, too."""
    line = Line(role(), 1e9)
    task = asyncio.ensure_future(patient(streams(line))(an_attempt(a_call(STREAMED))))
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert line.released == 1


async def test_the_total_wins_over_a_first_token_at_the_same_moment(clock: VirtualClock) -> None:
    """When both limits end together the call is over: it does not go on to the next target."""
    provider = FakeProvider(hangs(), answers())

    with pytest.raises(GatewayError) as caught:
        await whole_way(a_call(STREAMED, total_s=FIRST_TOKEN_S), provider, clock)

    assert caught.value.kind is TIMEOUT_TOTAL
    assert provider.targets == [TARGET]
