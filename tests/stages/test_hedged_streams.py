"""Hedged streams and hedged calls that end early: every connection is given back once, and no task is left."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable

import pytest

from app.core.call import Call, Reply
from app.core.errors import STREAM_BROKEN, TARGET_UNAVAILABLE, TIMEOUT_TOTAL, GatewayError
from app.core.model import Completion
from app.core.outcome import End, Outcome
from app.core.stream import EventStream
from tests.stages.hedging import DELAY_S, Bench
from tests.support.calls import (
    OTHER,
    TARGET,
    Line,
    Step,
    Witness,
    answers,
    done,
    fails,
    hangs,
    role,
    streams,
    text_of,
    word,
)


def body_of(reply: Reply) -> EventStream:
    """Return the stream of a reply."""
    assert not isinstance(reply.body, Completion)
    return reply.body


def alone() -> bool:
    """Say whether no task is left but the test's own."""
    return asyncio.all_tasks() == {asyncio.current_task()}


async def test_the_second_stream_wins() -> None:
    """The first that commits is shown; the other's connection is closed at that moment, before anything is read."""
    slow, quick = Line(role(), 60.0, word("slow"), done()), Line(role(), 1.0, word("quick"), word("er"), done())
    bench = Bench({TARGET: streams(slow), OTHER: streams(quick)}, stream=True)

    reply = await bench.answer()

    assert bench.passed_s == DELAY_S + 1.0
    assert slow.log == ["sent", "ended", "released"]
    assert (quick.released, alone()) == (0, True)
    assert await text_of(reply) == "quicker"
    assert (slow.released, quick.released) == (1, 1)
    assert bench.told.outcomes == {TARGET: ["abandoned"], OTHER: ["completed"]}


async def test_the_first_stream_wins_after_all() -> None:
    """A role is no commitment: the second target may be asked, and is left again."""
    slow, silent = Line(role(), 3.0, word("slow"), done()), Line(role(), 60.0, word("silent"))
    bench = Bench({TARGET: streams(slow), OTHER: streams(silent)}, stream=True)

    reply = await bench.answer()

    assert silent.log == ["sent", "ended", "released"]
    assert await text_of(reply) == "slow"
    assert (slow.released, silent.released, bench.hedges) == (1, 1, ["lost"])
    assert bench.told.outcomes == {TARGET: ["completed"], OTHER: ["abandoned"]}


async def test_of_two_streams_at_once_one_is_given_back() -> None:
    """In a dead heat the second stream, committed but unread, is closed, and its finishers hear that."""
    first, second = Line(3.0, word("first"), done()), Line(1.0, word("second"), done())
    bench = Bench({TARGET: streams(first), OTHER: streams(second)}, stream=True)

    reply = await bench.answer()

    assert await text_of(reply) == "first"
    assert (first.released, second.released, alone()) == (1, 1, True)
    assert bench.told.outcomes == {TARGET: ["completed"], OTHER: ["abandoned"]}


async def test_a_winner_that_breaks_is_not_replaced() -> None:
    """After the commit nothing is replayed: the other target is gone."""
    slow, broken = Line(60.0, word("slow")), Line(word("bro"), GatewayError(TARGET_UNAVAILABLE, "reset"))
    bench = Bench({TARGET: streams(slow), OTHER: streams(broken)}, stream=True)
    reply = await bench.answer()

    with pytest.raises(GatewayError) as caught:
        await text_of(reply)

    assert caught.value.kind is STREAM_BROKEN
    assert (slow.released, broken.released) == (1, 1)
    assert bench.told.outcomes == {TARGET: ["abandoned"], OTHER: ["failed"]}


async def test_a_client_that_leaves_closes_the_winner() -> None:
    """A stream that won is left like any other."""
    line = Line(word("one"), 5.0, word("two"), done())
    bench = Bench({TARGET: hangs(), OTHER: streams(line)}, stream=True)
    reply = await bench.answer()

    async for _ in body_of(reply):
        break
    await body_of(reply).aclose()

    assert line.log == ["sent", "ended", "released"]
    assert bench.told.outcomes[OTHER] == ["abandoned"]


@pytest.mark.parametrize(
    ("first", "second", "leaves_s", "hedges"),
    [
        (hangs(), hangs(), 1.0, []),
        (hangs(), hangs(), 3.0, ["abandoned"]),
        (fails(TARGET_UNAVAILABLE, after_s=3.0), hangs(), 4.0, ["abandoned"]),
        (hangs(), fails(TARGET_UNAVAILABLE, after_s=1.0), 4.0, ["abandoned"]),
    ],
    ids=["alone", "both", "the second", "the first"],
)
@pytest.mark.parametrize("again", [0, 3])
async def test_cancelled_in_each_phase(
    first: Step, second: Step, leaves_s: float, hedges: list[str], *, again: int
) -> None:
    """A call that is cancelled ends as cancelled, and both of its attempts with it, however often it is cancelled."""
    bench = Bench({TARGET: first, OTHER: second})
    task = asyncio.ensure_future(bench.answer())
    await asyncio.sleep(leaves_s)

    task.cancel()
    for _ in range(again):
        await asyncio.sleep(0)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (bench.hedges, alone(), bench.passed_s) == (hedges, True, leaves_s)
    assert all(len(outcomes) == 1 for outcomes in bench.told.outcomes.values())
    assert bench.call.journal.attempts == len(bench.asked)
    assert sum(bench.loads.seen(target.name).in_flight for target in (TARGET, OTHER)) == 0


async def test_the_deadline_ends_both() -> None:
    """The call's own timeout stands above both attempts, and says so."""
    bench = Bench({TARGET: hangs(), OTHER: hangs()})

    error = await bench.failure()

    assert (error.kind, bench.passed_s) == (TIMEOUT_TOTAL, 300.0)
    assert (bench.hedges, bench.call.journal.attempts, alone()) == (["abandoned"], 2, True)


def lingers(seconds: float) -> Step:
    """Never answer, and take that long to be cancelled."""

    async def step(_call: Call) -> Reply:
        try:
            await asyncio.sleep(1e9)
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(seconds)
        raise AssertionError

    return step


async def test_cancelled_while_the_loser_is_cleared_away() -> None:
    """The winner, which nobody gets to see any more, is closed as well, and the cancellation stays one."""
    line = Line(word("second"), done())
    bench = Bench({TARGET: lingers(1.0), OTHER: streams(line)}, stream=True)
    task = asyncio.ensure_future(bench.answer())
    await asyncio.sleep(DELAY_S + 0.5)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert bench.passed_s == DELAY_S + 1.0
    assert (line.released, alone(), bench.hedges) == (1, True, ["abandoned"])
    assert (bench.call.journal.hedge, bench.told.outcomes[OTHER]) == (None, ["abandoned"])


async def test_the_loser_is_waited_for() -> None:
    """The winner's answer comes out when nothing of the loser is left, its slow finishers included."""
    witness = Witness(waits_s=0.5)

    async def first(_call: Call) -> Reply:
        try:
            await asyncio.sleep(1e9)
        finally:
            told: Awaitable[None] | None = witness(Outcome(End.ABANDONED))
            assert told is not None
            await told
        raise AssertionError

    bench = Bench({TARGET: first, OTHER: answers("second")})

    reply = await bench.answer()

    assert await text_of(reply) == "second"
    assert (bench.passed_s, alone()) == (DELAY_S + 0.5, True)
    assert witness.told == [Outcome(End.ABANDONED)]
