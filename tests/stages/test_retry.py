"""Trying one target again."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import CallOptions
from app.core.errors import (
    CIRCUIT_OPEN,
    KINDS,
    OVERLOADED,
    TARGET_BUSY,
    TARGET_FAILED,
    TARGET_UNAVAILABLE,
    Again,
    GatewayError,
    Kind,
)
from app.core.signals import RetryScheduled
from app.stages.retry import RetryOptions
from tests.stages.retrying import Bench
from tests.support.calls import (
    TARGET,
    Line,
    Step,
    a_call,
    an_attempt,
    answers,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    word,
)
from tests.support.virtual_time import START_S


def named(kind: Kind) -> str:
    """Name a kind in the name of a test."""
    return kind.code


async def test_waits_as_long_as_the_provider_asked() -> None:
    """A retry-after hint replaces our own pause, which is no overhead of the gateway."""
    bench, attempt = Bench(fails(TARGET_UNAVAILABLE, retry_after_s=3.0), answers("hello")), an_attempt()

    reply = await bench.answer(attempt)

    assert await text_of(reply) == "hello"
    assert bench.clock.slept == [3.0]
    assert attempt.call.journal.upstream_s == 3.0


async def test_a_first_success_is_the_only_try() -> None:
    """Where nothing fails nothing is repeated, waited for or reported."""
    bench = Bench(answers("hello"))

    reply = await bench.answer(an_attempt())

    assert await text_of(reply) == "hello"
    assert (bench.clock.slept, bench.signals) == ([], [])


async def test_every_try_starts_from_the_same_attempt() -> None:
    """What is sent again is what was sent at first."""
    bench, attempt = Bench(fails(TARGET_FAILED), fails(TARGET_FAILED), answers()), an_attempt()

    await bench.answer(attempt)

    assert [asked is attempt for asked in bench.provider.asked] == [True, True, True]


async def test_the_last_failure_comes_out() -> None:
    """When all tries have failed the caller gets the last failure, and is told that the gateway has spent its tries."""
    bench, attempt = Bench(fails(TARGET_FAILED), fails(TARGET_FAILED), fails(TARGET_UNAVAILABLE)), an_attempt()

    error = await bench.failure(attempt)

    assert error.kind is TARGET_UNAVAILABLE
    assert len(bench.provider.asked) == 3
    assert attempt.call.journal.retries_spent


async def test_each_retry_is_reported() -> None:
    """Each pause is announced with the try that failed, the row of its failure, and the pause."""
    bench = Bench(fails(TARGET_FAILED), fails(TARGET_UNAVAILABLE), answers())

    await bench.answer(an_attempt())

    assert bench.signals == [
        RetryScheduled("req_1", "acme", "small", "target_failed", "upstream", 1, 0.5),
        RetryScheduled("req_1", "acme", "small", "target_unavailable", "network", 2, 1.0),
    ]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.again is Again.HERE], ids=named)
@pytest.mark.parametrize("last", [True, False])
async def test_a_transient_failure_is_retried_here(kind: Kind, last: bool) -> None:
    """What may succeed at the same target is tried there again, whether or not others are left."""
    bench = Bench(fails(kind), answers())

    await bench.answer(an_attempt(last=last))

    assert len(bench.provider.asked) == 2


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.again is Again.NEVER], ids=named)
@pytest.mark.parametrize("last", [True, False])
async def test_a_final_failure_is_not_retried(kind: Kind, last: bool) -> None:
    """What cannot succeed is never tried again, and the gateway's tries count as unspent."""
    bench, attempt = Bench(fails(kind)), an_attempt(last=last)

    error = await bench.failure(attempt)

    assert error.kind is kind
    assert not attempt.call.journal.retries_spent


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind.again is Again.ELSEWHERE], ids=named)
async def test_a_failure_for_elsewhere_is_retried_here_only_as_a_last_resort(kind: Kind) -> None:
    """Another target comes first; the last one is asked again if later can be better, and if it was asked at all."""
    others_left, none_left = Bench(fails(kind)), Bench(fails(kind), fails(kind), fails(kind))

    await others_left.failure(an_attempt(last=False))
    await none_left.failure(an_attempt(last=True))

    assert len(others_left.provider.asked) == 1
    assert len(none_left.provider.asked) == (3 if kind.retryable and kind not in {CIRCUIT_OPEN, OVERLOADED} else 1)


async def test_a_failure_that_is_no_gateway_error_passes() -> None:
    """A bug is not a failure of the target."""
    bench = Bench(raises(ValueError("bug")))

    with pytest.raises(ValueError, match="bug"):
        await bench.answer(an_attempt())

    assert len(bench.provider.asked) == 1


async def test_a_stream_is_retried_until_it_commits() -> None:
    """A stream that dies before its first word is tried again; the one that speaks is handed on unread."""
    dead, alive = Line(role(), GatewayError(TARGET_UNAVAILABLE, "reset")), Line(role(), word("hi"))
    bench = Bench(streams(dead), streams(alive))

    reply = await bench.answer(an_attempt())

    assert (dead.released, alive.released) == (1, 0)
    assert await text_of(reply) == "hi"


async def test_a_stream_is_not_retried_after_it_commits() -> None:
    """What breaks after the first word is the reader's to know; no second try is made."""
    bench = Bench(streams(Line(word("hi"), GatewayError(TARGET_UNAVAILABLE, "reset"))))
    reply = await bench.answer(an_attempt())

    with pytest.raises(GatewayError):
        await text_of(reply)

    assert len(bench.provider.asked) == 1


@pytest.mark.parametrize(
    ("options", "configured", "tries"),
    [
        (CallOptions(), 1, 1),
        (CallOptions(), 4, 4),
        (CallOptions(retry=False), 4, 1),
        (CallOptions(retry=False, max_attempts=4), 3, 1),
        (CallOptions(max_attempts=1), 3, 1),
        (CallOptions(max_attempts=2), 3, 2),
        (CallOptions(max_attempts=5), 3, 5),
    ],
)
async def test_a_caller_chooses_the_number_of_tries(options: CallOptions, configured: int, tries: int) -> None:
    """A caller's number goes before the configured one; only tries that could be repeated count as spent."""
    configuration = RetryOptions(configured, base_s=0.5, max_s=8.0, multiplier=2.0, jitter=0.0)
    bench = Bench(*[fails(TARGET_FAILED)] * 5, options=configuration)
    attempt = an_attempt(a_call(options=options))

    await bench.failure(attempt)

    assert len(bench.provider.asked) == tries
    assert attempt.call.journal.retries_spent is (tries > 1)


@pytest.mark.parametrize("first", [hangs(), fails(TARGET_FAILED)], ids=["in a try", "in a pause"])
async def test_a_client_that_leaves_ends_the_retries(first: Step) -> None:
    """Cancelling ends the try or the pause under way, and no other begins."""
    options = RetryOptions(max_attempts=3, base_s=60.0, max_s=60.0, multiplier=1.0, jitter=0.0)
    bench = Bench(first, options=options)
    task = asyncio.ensure_future(bench.answer(an_attempt()))
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert bench.clock.now() == START_S + 5.0
    assert len(bench.provider.asked) == 1


async def test_a_success_after_failures_leaves_the_clients_own_tries_alone() -> None:
    """Only a failure that comes out says that tries were spent."""
    bench, attempt = Bench(fails(TARGET_BUSY), fails(TARGET_BUSY), answers()), an_attempt(target=TARGET)

    await bench.answer(attempt)

    assert not attempt.call.journal.retries_spent
    assert attempt.call.journal.attempts == 3
