"""A second target beside a slow first one: who wins, and what the call's journal tells of it."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Tried
from app.core.errors import (
    INVALID_REQUEST,
    OVERLOADED,
    TARGET_FAILED,
    TARGET_UNAVAILABLE,
    GatewayError,
    Kind,
)
from app.core.model import Completion
from app.core.signals import FellBack, HedgeEnded, HedgeStarted
from tests.stages.hedging import DELAY_S, NAMES, Bench
from tests.support.calls import OTHER, TARGET, THIRD, Step, answers, fails, hangs, raises, text_of


async def test_a_quick_first_target_is_alone() -> None:
    """An answer within the delay is an ordinary one: nobody else is asked, and nothing is told."""
    bench = Bench({TARGET: answers("first", after_s=DELAY_S - 0.5), OTHER: answers("second")})

    reply = await bench.answer()

    journal = bench.call.journal
    assert await text_of(reply) == "first"
    assert (bench.asked, bench.signals) == ([(TARGET, 0.0)], [])
    assert (journal.attempts, journal.hedge, journal.upstream_s) == (1, None, DELAY_S - 0.5)


async def test_the_second_target_wins() -> None:
    """It is asked after the delay, its answer is the call's, and the first is cancelled at that moment."""
    bench = Bench({TARGET: hangs(), OTHER: answers("second", after_s=1.0)})

    reply = await bench.answer()

    journal = bench.call.journal
    assert await text_of(reply) == "second"
    assert bench.asked == [(TARGET, 0.0), (OTHER, DELAY_S)]
    assert bench.passed_s == DELAY_S + 1.0
    assert (journal.position, journal.target, journal.hedge, journal.attempts) == (1, OTHER, "won", 2)
    assert bench.told.outcomes == {TARGET: ["abandoned"], OTHER: ["completed"]}
    assert bench.signals == [HedgeStarted("req_1", *NAMES, DELAY_S), HedgeEnded("req_1", *NAMES, "won")]


async def test_the_first_target_wins_after_all() -> None:
    """If it commits before the second, the call is as if nobody else had been asked, but for one more attempt."""
    bench = Bench({TARGET: answers("first", after_s=DELAY_S + 1.0), OTHER: hangs()})

    reply = await bench.answer()

    journal = bench.call.journal
    assert await text_of(reply) == "first"
    assert (journal.position, journal.target, journal.hedge, journal.attempts) == (0, TARGET, "lost", 2)
    assert bench.told.outcomes == {TARGET: ["completed"], OTHER: ["abandoned"]}
    assert bench.hedges == ["lost"]


async def test_of_two_answers_at_once_the_first_targets_counts() -> None:
    """In a dead heat the order of the route decides."""
    bench = Bench({TARGET: answers("first", after_s=DELAY_S + 1.0), OTHER: answers("second", after_s=1.0)})

    reply = await bench.answer()

    assert await text_of(reply) == "first"
    assert (bench.call.journal.target, bench.hedges) == (TARGET, ["lost"])


async def test_a_first_target_that_fails_at_once_is_no_hedge() -> None:
    """Before the delay a failure moves the call on as ever."""
    bench = Bench({TARGET: fails(TARGET_FAILED, after_s=0.5), OTHER: answers("second", after_s=5.0)})

    await bench.answer()

    assert bench.asked == [(TARGET, 0.0), (OTHER, 0.5)]
    assert (bench.call.journal.hedge, bench.hedges) == (None, [])


async def test_a_failure_of_the_first_waits_for_the_second() -> None:
    """The second is not asked again: it has a head start, and the journal tells of a fallback that won time."""
    bench = Bench({TARGET: fails(TARGET_FAILED, after_s=3.0), OTHER: answers("second", after_s=4.0)})

    reply = await bench.answer()

    journal = bench.call.journal
    assert await text_of(reply) == "second"
    assert (bench.asked, bench.passed_s) == ([(TARGET, 0.0), (OTHER, DELAY_S)], DELAY_S + 4.0)
    assert (journal.position, journal.target, journal.hedge, journal.attempts) == (1, OTHER, "won", 2)
    assert journal.tried == [Tried(TARGET, "target_failed")]
    assert FellBack("req_1", *NAMES, "target_failed") in bench.signals


@pytest.mark.parametrize("kind", [TARGET_FAILED, INVALID_REQUEST, OVERLOADED])
async def test_a_failure_of_the_second_waits_for_the_first(kind: Kind) -> None:
    """Whatever the second target says, a hedge never ends a call that the first would have answered."""
    bench = Bench({TARGET: answers("first", after_s=9.0), OTHER: fails(kind, after_s=1.0)})

    reply = await bench.answer()

    assert await text_of(reply) == "first"
    assert (bench.call.journal.target, bench.call.journal.hedge, bench.passed_s) == (TARGET, "lost", 9.0)


@pytest.mark.parametrize(("first_s", "second_s", "told_s"), [(3.0, 4.0, 6.0), (9.0, 1.0, 9.0), (3.0, 1.0, 3.0)])
async def test_after_both_the_others_are_tried(first_s: float, second_s: float, told_s: float) -> None:
    """Whichever fails first, the third target is asked once, after both, and neither of them again."""
    script = {
        TARGET: fails(TARGET_FAILED, after_s=first_s),
        OTHER: fails(TARGET_UNAVAILABLE, after_s=second_s),
        THIRD: answers("third"),
    }
    bench = Bench(script)

    reply = await bench.answer()

    journal = bench.call.journal
    assert await text_of(reply) == "third"
    assert bench.asked == [(TARGET, 0.0), (OTHER, DELAY_S), (THIRD, told_s)]
    assert journal.tried == [Tried(TARGET, "target_failed"), Tried(OTHER, "target_unavailable")]
    assert (journal.position, journal.target, journal.hedge, journal.attempts) == (2, THIRD, None, 3)
    assert [signal.code for signal in bench.signals if isinstance(signal, FellBack)] == [
        "target_failed",
        "target_unavailable",
    ]
    assert bench.hedges == ["failed"]


async def test_both_fail_and_nobody_is_left() -> None:
    """The most useful failure is told, as without a hedge."""
    bench = Bench({TARGET: fails(TARGET_FAILED, after_s=3.0), OTHER: fails(TARGET_UNAVAILABLE, after_s=0.5)})

    error = await bench.failure()

    journal = bench.call.journal
    assert (error.kind, journal.target, journal.position, journal.hedge) == (TARGET_FAILED, TARGET, 0, None)
    assert (len(journal.tried), journal.attempts, bench.hedges) == (2, 2, ["failed"])


async def test_a_final_failure_of_the_first_ends_both() -> None:
    """What would not have moved the call on does not let the second target answer either: it is cancelled."""
    bench = Bench({TARGET: fails(INVALID_REQUEST, after_s=3.0), OTHER: answers(after_s=9.0), THIRD: answers()})

    error = await bench.failure()

    assert (error.kind, bench.passed_s) == (INVALID_REQUEST, 3.0)
    assert bench.told.outcomes == {TARGET: ["failed"], OTHER: ["abandoned"]}
    assert (bench.call.journal.target, bench.hedges) == (TARGET, ["failed"])


@pytest.mark.parametrize(
    ("first", "second", "upstream_s"),
    [
        (hangs(), answers(after_s=1.0), DELAY_S + 1.0),
        (answers(after_s=3.0), hangs(), 3.0),
        (fails(TARGET_FAILED, after_s=3.0), answers(after_s=4.0), DELAY_S + 4.0),
        (answers(after_s=9.0), fails(TARGET_FAILED, after_s=1.0), 9.0),
    ],
)
async def test_time_in_which_both_waited_counts_once(first: Step, second: Step, upstream_s: float) -> None:
    """The overhead of a hedged call is that of the gateway, whoever answered."""
    bench = Bench({TARGET: first, OTHER: second})

    await bench.answer()

    assert bench.call.journal.upstream_s == upstream_s
    assert bench.call.overhead_s(bench.clock.now()) == 0.0


async def test_each_attempt_writes_for_itself() -> None:
    """While two attempts run neither sees the other's journal, nor the call's; spent retries are the call's."""
    bench = Bench({TARGET: fails(TARGET_FAILED, after_s=3.0), OTHER: fails(TARGET_FAILED, after_s=3.0)})

    await bench.failure()
    first, second = (attempt.call for attempt in bench.attempts)

    assert len({id(first.journal), id(second.journal), id(bench.call.journal)}) == 3
    assert [first.journal.attempts, second.journal.attempts] == [1, 1]
    assert [attempt.last for attempt in bench.attempts] == [False, True]


@pytest.mark.parametrize("first_s", [1.0, 3.0], ids=["alone", "hedged"])
async def test_a_bug_comes_out_as_it_is(first_s: float) -> None:
    """A fault of the gateway in the first attempt ends the call and both attempts."""
    bench = Bench({TARGET: raises(KeyError("bug"), after_s=first_s), OTHER: hangs()})
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context))

    with pytest.raises(KeyError, match="bug"):
        await bench.answer()

    assert complaints == []
    assert bench.hedges == (["failed"] if first_s > DELAY_S else [])


@pytest.mark.parametrize("error", [KeyError("bug"), GatewayError(TARGET_FAILED, "no bug")])
async def test_a_bug_in_the_loser_is_reported(error: Exception) -> None:
    """The call has its answer, and the fault is not lost; a failure that was to be expected is no fault."""
    bench = Bench({TARGET: answers("first", after_s=9.0), OTHER: raises(error, after_s=1.0)})
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: complaints.append(context["exception"]))

    reply = await bench.answer()

    assert isinstance(reply.body, Completion)
    assert complaints == ([error] if isinstance(error, KeyError) else [])
