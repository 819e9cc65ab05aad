"""Calls that ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.caching.ports import Looked, RemoteStream
from app.core.caching.single_flight import Flight
from app.core.caching.stored import Origin, Selection, Stored
from app.core.call import Call, Reply, Target
from app.core.errors import STATE_UNAVAILABLE, STREAM_BROKEN, TARGET_FAILED, TIMEOUT_TOTAL, GatewayError
from app.core.identity import Caller
from app.core.model import Completion
from app.core.outcome import Outcome
from app.core.pipeline import Handler, settle
from app.core.stream import Batch
from tests.core.answers.making import DONE
from tests.core.caching.making import key_of
from tests.stages.caching import (
    FINISH,
    GONE,
    LIFETIMES,
    TARGET,
    House,
    Remote,
    ScriptedShare,
    events_of,
    line,
    said,
    says,
    sings,
)
from tests.support.calls import fails, hangs, raises, streams, text_in, text_of, word
from tests.support.virtual_time import EPOCH_S, START_S, VirtualClock, VirtualTimeLoop

ELSEWHERE = Origin(Target("cloud", "huge"), 2)


async def outcome(handler: Handler[Call], call: Call, comes_s: float = 0.0) -> tuple[str, str | None]:
    """Make a call after a while and return its text and what the cache did."""
    await asyncio.sleep(comes_s)
    shifted = msgspec.structs.replace(call, started=call.started + comes_s, deadline=call.deadline + comes_s)
    return await text_of(await handler(shifted)), shifted.journal.cache


async def together(*calls: Coroutine[Any, Any, tuple[str, str | None]]) -> list[tuple[str, str | None]]:
    """Make calls side by side."""
    return list(await asyncio.gather(*calls))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_equal_calls_share_one_upstream_call(clock: VirtualClock, stream: bool) -> None:
    """Those who come while it is under way get all of its answer, pay nothing, and are told whose it is."""
    house = House(clock, sings("one ", "two", pause_s=2.0) if stream else says("one two", after_s=4.0))
    handler = house.handler()
    calls = [house.stream() if stream else house.call() for _ in range(3)]

    found = await asyncio.gather(*[outcome(handler, call, 1.5 * n) for n, call in enumerate(calls)])

    assert found == [("one two", "miss"), ("one two", "coalesced"), ("one two", "coalesced")]
    assert [call.journal.target for call in calls] == [TARGET] * 3
    assert [call.journal.cost.usd for call in calls] == [None, 0.0, 0.0]
    assert len(house.provider.asked) == 1
    assert (house.caching.tally.coalesced, house.caching.tally.misses) == (2, 1)


async def test_waiting_for_another_call_is_no_overhead(clock: VirtualClock) -> None:
    """The time that a call waits for the answer of another one counts as time of the provider."""
    house = House(clock, says(after_s=4.0))
    handler, second = house.handler(), house.call()

    await asyncio.gather(outcome(handler, house.call()), outcome(handler, second))

    assert second.journal.upstream_s == 4.0


async def test_a_whole_answer_may_come_from_a_stream(clock: VirtualClock) -> None:
    """Who wants it whole waits for the end of a stream; who wants a stream does not wait for a whole answer."""
    house = House(clock, sings("one ", "two"), says("whole", after_s=9.0), sings("own"))
    handler = house.handler()

    whole = house.call("a")
    both = await together(outcome(handler, house.stream("a")), outcome(handler, whole, 0.5))
    ended = clock.now()
    apart = await together(outcome(handler, house.call("b")), outcome(handler, house.stream("b"), 0.5))

    assert both == [("one two", "miss"), ("one two", "coalesced")]
    assert whole.journal.upstream_s == ended - START_S - 0.5
    assert apart == [("whole", "miss"), ("own", "miss")]


async def test_whoever_is_there_from_the_beginning_gets_the_providers_own_frames(clock: VirtualClock) -> None:
    """They are not cut again; who comes late gets what has come in the gateway's own pieces, then the rest as it is."""
    connection = line("one ", "two ", "three")
    house = House(clock, streams(connection))
    handler = house.handler()
    replies = await asyncio.gather(*[handler(house.stream(usage=True)) for _ in range(2)])
    reading = [asyncio.ensure_future(events_of(reply)) for reply in replies]

    await asyncio.sleep(1.5)
    late = await events_of(await handler(house.stream(usage=True)))
    first, second = [await each for each in reading]

    sent = [*(word(text).frame for text in ("one ", "two ", "three")), FINISH.frame]
    assert [event.frame for event in first][1:5] == [event.frame for event in second][1:5] == sent
    assert [event.frame for event in late][-4:] == [event.frame for event in first][-4:]
    assert text_in(late) == "one two three"


@pytest.mark.parametrize("comes_s", [0.0, 0.5])
async def test_a_stream_that_cannot_be_added_up_is_asked_for_again(clock: VirtualClock, comes_s: float) -> None:
    """Who wants it whole then makes a call of its own."""
    house = House(clock, streams(line("x" * 200_000, "y")), says("own"))
    handler = house.handler()

    found = await together(outcome(handler, house.stream()), outcome(handler, house.call(), comes_s))

    assert (len(found[0][0]), found[1]) == (200_001, ("own", "miss"))


async def test_tenants_never_share(clock: VirtualClock) -> None:
    """The same question of another tenant is another call."""
    house = House(clock, says("one", after_s=1.0), says("two", after_s=1.0))
    handler = house.handler()
    calls = [msgspec.structs.replace(house.call(), caller=Caller(name, name)) for name in ("a", "b")]

    found = await asyncio.gather(*[outcome(handler, call) for call in calls])

    assert found == [("one", "miss"), ("two", "miss")]


async def test_calls_with_other_wishes_do_not_share(clock: VirtualClock) -> None:
    """Without coalescing, or if retries are to be done differently, each call is its own."""
    house = House(clock, *[says(str(n), after_s=1.0) for n in range(4)])
    apart, shared = house.handler(coalesce=False), house.handler()

    found = await together(outcome(apart, house.call("a")), outcome(apart, house.call("a")))
    found += await together(outcome(shared, house.call("b")), outcome(shared, house.call("b", retry=False)))

    assert found == [(str(n), "miss") for n in range(4)]


async def test_a_failure_is_shared_by_those_who_wait(clock: VirtualClock) -> None:
    """Each is told, and that the gateway has tried often enough; the next call asks again."""

    async def tries(call: Call) -> Reply:
        call.journal.retries_spent = True
        return await fails(TARGET_FAILED, after_s=1.0)(call)

    house = House(clock, tries, says("good"))
    handler = house.handler()

    found = await asyncio.gather(*[handler(house.call()) for _ in range(3)], return_exceptions=True)
    later = await outcome(handler, house.call())

    told = [(error.kind, error.retries_spent) for error in found if isinstance(error, GatewayError)]
    assert told == [(TARGET_FAILED, True)] * 3
    assert later == ("good", "miss")


async def test_who_shares_a_failure_knows_where_it_was(clock: VirtualClock) -> None:
    """Each call has the target that failed, also where another replica asked it, and its waiting is no overhead."""

    async def tries(call: Call) -> Reply:
        call.journal.target, call.journal.position, call.journal.attempts = ELSEWHERE.target, 1, 2
        return await fails(TARGET_FAILED, after_s=1.0)(call)

    remote = Remote(GatewayError(TARGET_FAILED, "no"), origin=ELSEWHERE)
    for house in (House(clock, tries), House(clock, shared=ScriptedShare(Looked(remote=remote)))):
        handler, calls = house.handler(), [house.call() for _ in range(2)]

        await asyncio.gather(*[handler(call) for call in calls], return_exceptions=True)

        first, second = [call.journal for call in calls]
        assert (first.target, second.target) == (ELSEWHERE.target, ELSEWHERE.target)
        assert (second.position, second.attempts, second.upstream_s) == (first.position, 0, 1.0)


async def test_a_stream_that_breaks_breaks_for_all(clock: VirtualClock) -> None:
    """What has come is given to everybody, then the error; nothing is stored."""
    broken = streams(line("a", "b", end=False)), GatewayError(TARGET_FAILED, "broke")

    async def step(call: Call) -> Reply:
        reply = await broken[0](call)
        assert not isinstance(reply.body, Completion)
        reply.body.transform(_raising(3, broken[1]))
        return reply

    house = House(clock, step, says("good"))
    handler = house.handler()
    replies = await asyncio.gather(*[handler(house.stream()) for _ in range(2)])

    found = [await _broken(reply) for reply in replies]
    whole = await outcome(handler, house.call())

    assert [(text, error.kind) for text, error in found] == [("a", TARGET_FAILED)] * 2
    assert whole == ("good", "miss")


def _raising(count: int, error: GatewayError) -> Any:  # noqa: ANN401 - a transform
    left = [count]

    def step(batch: Batch) -> Batch:
        left[0] -= 1
        if not left[0]:
            raise error
        return batch

    return step


async def _read(reply: Reply) -> tuple[str, GatewayError | None]:
    assert not isinstance(reply.body, Completion)
    text = ""
    try:
        async for batch in reply.body:
            text += text_in(list(batch))
    except GatewayError as error:
        return text, error
    return text, None


async def _broken(reply: Reply) -> tuple[str, GatewayError]:
    text, error = await _read(reply)
    assert error is not None
    return text, error


async def test_the_first_caller_may_leave(clock: VirtualClock) -> None:
    """The call goes on for the others, and ends when the last one has left."""
    connection = line("one ", "two", "three")
    house = House(clock, streams(connection))
    handler = house.handler()
    first = await handler(house.stream())
    others = [asyncio.ensure_future(outcome(handler, house.stream(), 0.5)) for _ in range(2)]
    assert not isinstance(first.body, Completion)

    await asyncio.sleep(0.6)
    await first.body.aclose()
    others[0].cancel()
    await asyncio.sleep(1.0)
    going_on = connection.released == 0
    others[1].cancel()
    await asyncio.wait(others)
    await asyncio.sleep(0.0)

    assert going_on
    assert connection.released == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_call_that_is_alone_ends_with_its_caller(clock: VirtualClock) -> None:
    """A client that leaves before the first token closes the upstream call, as without a cache."""
    ended: list[str] = []

    async def step(_call: Call) -> Reply:
        try:
            await asyncio.sleep(1e6)
        finally:
            ended.append("closed")
        raise AssertionError

    house = House(clock, step)
    task = asyncio.ensure_future(house.handler()(house.call()))
    await asyncio.sleep(1.0)

    task.cancel()
    await asyncio.wait([task])

    assert ended == ["closed"]


async def test_who_has_more_time_is_not_cut_short(clock: VirtualClock) -> None:
    """A call whose first caller has little time is no good for one with more; the other way round it is."""
    house = House(clock, says("one", after_s=20.0), says("two", after_s=20.0))
    handler = house.handler()
    calls = [house.call(total_s=30.0), house.call(), house.call(total_s=25.0)]

    found = await asyncio.gather(*[outcome(handler, call) for call in calls])

    assert found == [("one", "miss"), ("two", "miss"), ("two", "coalesced")]


async def test_a_call_that_outlives_its_flight_makes_its_own(clock: VirtualClock) -> None:
    """A flight that ends at its first caller's deadline fails that one; who came later goes on with another."""
    late = raises(GatewayError(TIMEOUT_TOTAL, "late"), after_s=299.0)
    house = House(clock, late, says("own", after_s=250.0))
    handler = house.handler()

    found = await asyncio.gather(
        outcome(handler, house.call()), outcome(handler, house.call(), 100.0), return_exceptions=True
    )

    assert isinstance(found[0], GatewayError)
    assert found[0].kind is TIMEOUT_TOTAL
    assert isinstance(found[1], GatewayError)  # its own deadline ends it: 299 + 250 is too late
    assert len(house.provider.asked) == 2


async def test_a_call_whose_flights_all_come_to_nothing_flies_alone(clock: VirtualClock) -> None:
    """After some streams whose answers could not be added up, a call no longer relies on others."""
    large = "x" * 200_000
    lines = [line(large, pause_s=4.0), line("a", large, pause_s=3.0), line("a", large, pause_s=3.0)]
    house = House(clock, *map(streams, lines), says("own"))
    handler = house.handler()
    others = [outcome(handler, house.stream(), comes_s) for comes_s in (0.0, 2.0, 6.0)]

    found = await together(*others, outcome(handler, house.call()))

    assert [len(text) for text, _ in found[:3]] == [200_000, 200_001, 200_001]
    assert found[3] == ("own", "miss")


@pytest.mark.parametrize("total_s", [5.0, 300.0])
async def test_a_stream_ends_at_the_callers_own_deadline(clock: VirtualClock, total_s: float) -> None:
    """A reader whose time is over is told so, while others go on."""
    house = House(clock, sings(*"abcdefgh"))
    handler = house.handler()
    first = asyncio.ensure_future(outcome(handler, house.stream()))
    await asyncio.sleep(1.5)

    reply = await handler(house.stream(total_s=total_s))
    text, ending = await _read(reply)

    assert await first == ("abcdefgh", "miss")
    if total_s > 100.0:
        assert (text, ending) == ("abcdefgh", None)
    else:
        assert ending is not None
        assert (text, ending.kind) == ("abcdefg", TIMEOUT_TOTAL)


# --- with other replicas -----------------------------------------------------------------------------------------


def elsewhere(text: str = "there", age_s: float = 0.0) -> Stored:
    """Return an answer that another replica has."""
    return Stored(said(text), "fast", ELSEWHERE, EPOCH_S - age_s, 60.0, 600.0)


async def test_an_answer_of_another_replica_is_found_and_copied(clock: VirtualClock) -> None:
    """What is shared is a hit; from then on this process has it at hand."""
    share = ScriptedShare(Looked(elsewhere(age_s=5.0)))
    house = House(clock, shared=share)
    handler, call = house.handler(), house.call()

    found = [await outcome(handler, call), await outcome(handler, house.call())]

    assert found == [("there", "hit")] * 2
    assert (call.journal.target, call.journal.notes["age"]) == (ELSEWHERE.target, "5")


async def test_without_copies_the_replicas_are_asked_each_time(clock: VirtualClock) -> None:
    """A process may be told to keep nothing in its own memory."""
    share = ScriptedShare(Looked(elsewhere()), Looked(elsewhere()))
    share.copies = False
    house = House(clock, shared=share)
    handler = house.handler()

    found = [await outcome(handler, house.call()) for _ in range(2)]

    assert found == [("there", "hit")] * 2
    assert share.looks == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_the_leader_tells_the_others(clock: VirtualClock, stream: bool) -> None:
    """Who holds the lease makes the call, shares the answer, and gives the lease back."""
    share = ScriptedShare()
    house = House(clock, sings("mine") if stream else says("mine"), shared=share)

    found = await outcome(house.handler(), house.stream() if stream else house.call())

    assert found == ("mine", "miss")
    assert share.told == (["streams", "mine"] if stream else ["mine"])
    assert len(share.answers) == 1


@pytest.mark.parametrize(("step", "told"), [(fails(TARGET_FAILED), "target_failed"), (hangs(), "dropped")])
async def test_a_leader_that_fails_says_so(clock: VirtualClock, step: Any, told: str) -> None:  # noqa: ANN401 - a step
    """A failure is told to those who wait elsewhere; a call that is given up is left to them."""
    share = ScriptedShare()
    house = House(clock, step, shared=share)
    handler = house.handler()

    with pytest.raises(GatewayError):
        await handler(house.call(total_s=10.0))

    assert share.told == [told]


async def test_a_stream_that_is_too_large_is_not_told(clock: VirtualClock) -> None:
    """Others learn that it is over, and not what it was."""
    share = ScriptedShare()
    house = House(clock, streams(line("x" * 200_000)), shared=share)

    await outcome(house.handler(), house.stream())

    assert share.told == ["streams", None]


async def test_a_follower_gets_the_answer(clock: VirtualClock) -> None:
    """Where another replica makes the call, its whole answer is shared by all who wait here, which is no overhead."""
    share = ScriptedShare(Looked(remote=Remote(elsewhere())))
    house = House(clock, shared=share)
    handler, calls = house.handler(), [house.call() for _ in range(2)]

    found = await asyncio.gather(*[outcome(handler, call) for call in calls])
    after = await outcome(handler, house.call())

    assert (found, after) == ([("there", "coalesced")] * 2, ("there", "hit"))
    assert [call.journal.upstream_s for call in calls] == [1.0, 1.0]


async def test_an_answer_that_is_not_good_enough_is_only_shared(clock: VirtualClock) -> None:
    """What would not be stored is given to those who wait, and not kept."""
    cut = msgspec.structs.replace(said("cut"), finish_reasons=("length",))
    share = ScriptedShare(Looked(remote=Remote(msgspec.structs.replace(elsewhere(), completion=cut))))
    house = House(clock, says("own"), shared=share)
    handler = house.handler()

    found = [await outcome(handler, house.call()) for _ in range(2)]

    assert found == [("cut", "coalesced"), ("own", "miss")]


async def test_a_follower_gets_a_stream(clock: VirtualClock) -> None:
    """A stream that another replica reads is a stream here, for all who come while it lasts."""

    async def batches() -> AsyncGenerator[Batch, None]:
        yield [word("the")]
        await asyncio.sleep(2.0)
        yield [word("re"), FINISH, DONE]

    share = ScriptedShare(Looked(remote=Remote(RemoteStream(ELSEWHERE, batches()))))
    house = House(clock, shared=share)
    handler = house.handler()

    found = await asyncio.gather(*[outcome(handler, house.stream(), 2.0 * n) for n in range(2)])

    assert found == [("there", "coalesced")] * 2


async def test_a_leader_that_dies_is_replaced(clock: VirtualClock) -> None:
    """If nothing was delivered, this replica makes the call, also if several leaders came to nothing."""
    looks = [Looked(remote=Remote(GONE)) for _ in range(3)]
    houses = [House(clock, says("own"), shared=ScriptedShare(*looks[:n])) for n in (1, 3)]

    found = [await outcome(house.handler(), house.call()) for house in houses]

    assert found == [("own", "miss")] * 2


async def test_replicas_that_go_out_of_reach_meanwhile_are_not_waited_for(clock: VirtualClock) -> None:
    """If they are lost while this one follows, it makes the call by itself."""

    class Losing(ScriptedShare):
        async def look(self, key: str, flight: Flight) -> Looked:
            self.without = "local"
            return await super().look(key, flight)

    house = House(clock, says("own"), shared=Losing(Looked(remote=Remote(GONE))))

    assert await outcome(house.handler(), house.call()) == ("own", "miss")


async def test_a_stream_that_breaks_elsewhere_breaks_here(clock: VirtualClock) -> None:
    """What another replica failed with is told to those who wait here."""

    async def batches() -> AsyncGenerator[Batch, None]:
        yield [word("the")]
        raise GatewayError(STREAM_BROKEN, "gone")

    share = ScriptedShare(
        Looked(remote=Remote(GatewayError(TARGET_FAILED, "no"))),
        Looked(remote=Remote(RemoteStream(ELSEWHERE, batches()))),
    )
    house = House(clock, shared=share)
    handler = house.handler()

    with pytest.raises(GatewayError) as failed:
        await handler(house.call())
    text, broke = await _broken(await handler(house.stream()))

    assert (failed.value.kind, text, broke.kind) == (TARGET_FAILED, "the", STREAM_BROKEN)


async def test_a_stale_answer_of_the_replicas_bridges_too(clock: VirtualClock) -> None:
    """It is given at once, and renewed by whoever holds the lease; nobody renews what another is renewing."""
    stale = elsewhere("old", age_s=70.0)
    share = ScriptedShare(Looked(stale, remote=Remote(GONE)))
    house = House(clock, says("new", after_s=1.0), shared=share)
    share.copies = False
    handler = house.handler(msgspec.structs.replace(LIFETIMES, revalidate_s=100.0))

    first = await outcome(handler, house.call())
    asked = len(house.provider.asked)
    share.looks = [Looked(stale, lease=share)]
    second = await outcome(handler, house.call())
    await asyncio.sleep(2.0)

    assert (first, asked, second) == (("old", "hit"), 0, ("old", "hit"))
    assert share.told == ["new"]


async def test_a_stale_answer_of_the_replicas_rescues_too(clock: VirtualClock) -> None:
    """A dead provider is stood in for by what is shared, for calls that fly and for those that do not."""
    stale = elsewhere("old", age_s=70.0)
    share = ScriptedShare(Looked(stale, lease=None))
    house = House(clock, fails(TARGET_FAILED), fails(TARGET_FAILED), shared=share)
    lifetimes = msgspec.structs.replace(LIFETIMES, on_error_s=100.0)

    found = [await outcome(house.handler(lifetimes), house.call("a"))]
    house.shelf.remove(Selection())
    share.answers = {key_of(house.call("a")): stale}
    found.append(await outcome(house.handler(lifetimes, coalesce=False), house.call("a")))

    assert found == [("old", "hit")] * 2


async def test_calls_that_do_not_share_find_what_is_shared(clock: VirtualClock) -> None:
    """Without coalescing, stored answers of the replicas are used and left behind all the same."""
    share = ScriptedShare()
    houses = [House(clock, says("mine"), shared=share), House(clock, shared=share)]

    found = [await outcome(house.handler(coalesce=False), house.call()) for house in houses]
    again = await outcome(houses[1].handler(coalesce=False), houses[1].call())

    assert [*found, again] == [("mine", "miss"), ("mine", "hit"), ("mine", "hit")]


@pytest.mark.parametrize(
    ("without", "found"), [("local", ["miss", "hit"]), ("open", ["bypass", "bypass"]), ("closed", None)]
)
async def test_without_the_replicas_the_policy_decides(
    clock: VirtualClock,
    without: Literal["local", "open", "closed"],
    found: list[str] | None,
) -> None:
    """While they are out of reach a process keeps its own answers, asks each time, or refuses."""
    house = House(clock, says("a"), says("b"), shared=ScriptedShare(without=without))
    handler = house.handler()

    if found is None:
        with pytest.raises(GatewayError) as caught:
            await handler(house.call())
        assert (caught.value.kind, caught.value.retry_after_s) == (STATE_UNAVAILABLE, 1.0)
    else:
        assert [(await outcome(handler, house.call()))[1] for _ in range(2)] == found


# --- whoever leaves whenever -------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(0, 12), st.none() | st.integers(0, 12), st.booleans()), min_size=1, max_size=6),
    st.booleans(),
)
def test_callers_come_and_go(plans: list[tuple[int, int | None, bool]], breaks: bool) -> None:
    """
    Streams and whole calls begin at any moment and are left at any moment; the provider may fail in the middle.

    Whoever stays gets all of the text or an error, never a part of it as if it were all; every connection is given
    back; nothing is left behind.
    """

    async def main() -> None:
        clock = VirtualClock()
        lines = [line("one ", "two ", "three", pause_s=2.0, end=True) for _ in plans]
        house = House(clock, *[_breaking(streams(each), breaks) for each in lines])
        handler = house.handler()

        async def call(comes_s: int, stream: bool) -> str:
            await asyncio.sleep(comes_s)
            reply = await handler(house.stream() if stream else house.stream("whole"))
            assert not isinstance(reply.body, Completion)
            try:
                return text_in(await events_of(reply))
            finally:
                await reply.body.aclose()

        tasks = [asyncio.ensure_future(call(comes_s, stream)) for comes_s, _, stream in plans]
        for task, (comes_s, stays_s, _) in zip(tasks, plans, strict=True):
            if stays_s is not None:
                asyncio.get_running_loop().call_later(comes_s + stays_s + 0.5, task.cancel)
        found = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.0)
        for text in found:
            allowed = (GatewayError, asyncio.CancelledError) if breaks else (asyncio.CancelledError,)
            assert isinstance(text, allowed) or text == "one two three"
        used = [each for each in lines if each.log]
        assert all(each.released == 1 for each in used)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert clock.now() >= START_S

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(main())


def _breaking(step: Any, breaks: bool) -> Any:  # noqa: ANN401 - a step
    async def broken(call: Call) -> Reply:
        reply: Reply = await step(call)
        if breaks:
            assert not isinstance(reply.body, Completion)
            reply.body.transform(_raising(3, GatewayError(TARGET_FAILED, "broke")))
        return reply

    return broken


async def test_outer_stages_see_each_reply_end(clock: VirtualClock) -> None:
    """A reader that leaves is told as abandoned, one that reads to the end as completed."""
    house = House(clock, sings("a", "b"))
    handler = house.handler()
    told: list[Outcome] = []
    replies = [await settle(house.stream(), handler, told.append) for _ in range(2)]
    assert not isinstance(replies[0].body, Completion)

    await replies[0].body.aclose()
    await text_of(replies[1])

    assert [outcome.end.value for outcome in told] == ["abandoned", "completed"]
