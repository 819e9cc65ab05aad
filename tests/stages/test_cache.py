"""Answers from what was answered before."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from app.core.caching.stored import Selection
from app.core.call import Call, Reply
from app.core.errors import INVALID_REQUEST, NOT_CACHED, TARGET_FAILED, GatewayError
from app.core.model import Completion, Native, Operation, PlainRequest
from app.core.outcome import End, Outcome
from app.core.pipeline import settle
from app.core.usage import Usage
from tests.core.answers.making import DONE
from tests.stages.caching import FINISH, LIFETIMES, TARGET, House, events_of, line, said, says, sings
from tests.support.calls import Line, fails, role, streams, text_in, text_of, usage, word
from tests.support.virtual_time import VirtualClock


async def test_the_same_question_is_asked_once(clock: VirtualClock) -> None:
    """The second call gets the stored answer, which names its source and its age and costs nothing."""
    house = House(clock, says("one"))
    handler, first, second = house.handler(), house.call(), house.call()

    texts = [await text_of(await handler(first))]
    await asyncio.sleep(7.9)
    texts += [await text_of(await handler(second))]

    assert texts == ["one", "one"]
    assert (first.journal.cache, first.journal.notes, first.journal.cost.usd) == ("miss", {}, None)
    assert (second.journal.cache, second.journal.notes, second.journal.cost.usd) == ("hit", {"age": "7"}, 0.0)
    assert (second.journal.target, second.journal.position, second.journal.attempts) == (TARGET, 1, 0)
    assert (house.caching.tally.hits, house.caching.tally.misses) == (1, 1)


async def test_another_question_is_asked(clock: VirtualClock) -> None:
    """A question that differs has an answer of its own."""
    house = House(clock, says("one"), says("two"))
    handler = house.handler()

    texts = [await text_of(await handler(house.call(text))) for text in ("a", "b", "a", "b")]

    assert texts == ["one", "two", "one", "two"]


@pytest.mark.parametrize("coalesce", [True, False])
@pytest.mark.parametrize("stored_as_stream", [True, False])
async def test_streams_and_whole_answers_are_the_same_answer(
    clock: VirtualClock, coalesce: bool, stored_as_stream: bool
) -> None:
    """What was streamed is given whole, and the other way round, with its usage where that is asked for."""
    house = House(clock, sings("he", "llo") if stored_as_stream else says("hello"))
    handler = house.handler(coalesce=coalesce)
    await text_of(await handler(house.stream() if stored_as_stream else house.call()))

    whole = await handler(house.call())
    plain = await events_of(await handler(house.stream()))
    counted = await events_of(await handler(house.stream(usage=True)))

    assert isinstance(whole.body, Completion)
    assert (whole.body.usage, whole.body.finish_reasons) == (Usage(1, 2, 3), ("stop",))
    assert await text_of(whole) == text_in(plain) == text_in(counted) == "hello"
    assert not any(b"total_tokens" in event.frame for event in plain)
    assert [event.chunk.usage for event in counted if event.chunk and event.chunk.usage] == [Usage(1, 2, 3)]
    assert plain[-1].done
    assert len(house.provider.asked) == 1


@pytest.mark.parametrize("hidden", [True, False])
async def test_only_who_asked_sees_the_usage_of_a_shared_stream(clock: VirtualClock, hidden: bool) -> None:
    """Whether the first caller asked for it or not, the others see what they asked for, also who comes late."""
    report = usage(1, 2)
    if hidden:  # as the provider's codec leaves it, if the first caller did not ask
        report = msgspec.structs.replace(report, frame=b"")
    house = House(clock, streams(Line(role(), word("a"), 1.0, word("b"), FINISH, report, DONE)))
    handler = house.handler()
    calls = [house.stream(usage=asks) for asks in (not hidden, hidden, False, True)]

    async def frames(call: Call, comes_s: float) -> bytes:
        await asyncio.sleep(comes_s)
        return b"".join([event.frame for event in await events_of(await handler(call))])

    found = await asyncio.gather(*[frames(call, n / 4) for n, call in enumerate(calls)])

    assert len(house.provider.asked) == 1
    assert [b'"total_tokens":3' in each for each in found] == [not hidden, hidden, False, True]
    stored = await handler(house.call())
    assert isinstance(stored.body, Completion)
    assert stored.body.usage == Usage(1, 2, 3)


async def test_another_dialect_keeps_its_own_usage(clock: VirtualClock) -> None:
    """A client that does not speak OpenAI's form always gets the usage, and its request stays as it is."""
    house = House(clock, sings("a"))
    call = house.stream()
    request = msgspec.structs.replace(call.request, origin=Native("anthropic", b"{}"), translated=True)

    events = await events_of(await house.handler()(msgspec.structs.replace(call, request=request)))

    assert house.provider.asked[0].request is request  # type: ignore[union-attr]
    assert [event.chunk.usage for event in events if event.chunk and event.chunk.usage] == [Usage(1, 2, 3)]


@pytest.mark.parametrize("coalesce", [True, False])
async def test_a_broken_stream_is_not_stored(clock: VirtualClock, coalesce: bool) -> None:
    """What fails in the middle, or is left early, leaves nothing behind."""
    broken = streams(line("a", end=False))
    house = House(clock, broken, sings("b", "c"), says("d"))
    house.provider = house.provider
    handler = house.handler(coalesce=coalesce)
    await events_of(await handler(house.stream()))
    reply = await handler(house.stream())
    assert not isinstance(reply.body, Completion)
    await anext(aiter(reply.body))
    await reply.body.aclose()

    text = await text_of(await handler(house.call()))

    assert text == "d"


@pytest.mark.parametrize("parts", [{"finish_reasons": ("content_filter",)}, {"finish_reasons": ()}])
async def test_incomplete_answers_are_not_stored(clock: VirtualClock, parts: dict[str, Any]) -> None:
    """What was filtered or has no end is given to who asked, and asked for again."""
    house = House(clock, says("one", **parts), says("two"))
    handler = house.handler()

    texts = [await text_of(await handler(house.call())) for _ in range(2)]

    assert texts == ["one", "two"]


async def test_errors_are_not_stored(clock: VirtualClock) -> None:
    """A failure is told, and the next call asks again."""
    house = House(clock, fails(TARGET_FAILED), says("two"))
    handler, call = house.handler(), house.call()

    with pytest.raises(GatewayError):
        await handler(call)

    assert await text_of(await handler(house.call())) == "two"
    assert (call.journal.cache, house.caching.tally.misses) == ("miss", 2)


async def test_an_answer_ends(clock: VirtualClock) -> None:
    """After its time, less a random share, an answer is asked for again; a route may have its own time."""
    house = House(clock, says("one"), says("two"), says("three"))
    handler = house.handler(msgspec.structs.replace(LIFETIMES, jitter=0.2))
    short = house.handler(msgspec.structs.replace(LIFETIMES, by_model={"fast": 5.0}))
    await text_of(await handler(house.call()))

    await asyncio.sleep(53.9)
    there = await text_of(await handler(house.call()))
    await asyncio.sleep(0.2)
    gone = await text_of(await short(house.call()))
    await asyncio.sleep(5.0)
    again = await text_of(await short(house.call()))

    assert (there, gone, again) == ("one", "two", "three")


@pytest.mark.parametrize(
    ("options", "outcome", "stores"),
    [
        ({"caching": False}, "bypass", False),
        ({"directives": {"no-store": None}}, "bypass", False),
        ({"directives": {"no-cache": None}}, "bypass", True),
        ({"directives": {"max-age": 0}}, "bypass", True),
        ({"directives": {"max-age": 4}}, "miss", True),
        ({"cache_ttl_s": 0}, "hit", False),
    ],
    ids=str,
)
async def test_a_call_has_its_say(clock: VirtualClock, options: dict[str, Any], outcome: str, stores: bool) -> None:
    """A caller decides whether it takes a stored answer, how old that may be, and whether it leaves one behind."""
    house = House(clock, says("old"), says("new"), says("newest"))
    handler = house.handler()
    await text_of(await handler(house.call()))
    await asyncio.sleep(5.0)

    call = house.call(**options)
    text = await text_of(await handler(call))
    after = await text_of(await handler(house.call()))

    assert call.journal.cache == outcome
    assert text == ("old" if outcome == "hit" else "new")
    assert after == ("new" if stores else "old")


async def test_a_call_says_how_long_its_answer_is_kept(clock: VirtualClock) -> None:
    """A time of its own counts to the second; none at all leaves nothing behind."""
    house = House(clock, says("one"), says("two"), says("three"))
    handler = house.handler(msgspec.structs.replace(LIFETIMES, jitter=1.0))
    await text_of(await handler(house.call("x", cache_ttl_s=0)))

    await text_of(await handler(house.call("x", cache_ttl_s=2)))
    await asyncio.sleep(1.9)
    there = await text_of(await handler(house.call("x")))
    await asyncio.sleep(0.2)
    gone = await text_of(await handler(house.call("x")))

    assert (there, gone) == ("two", "three")


async def test_only_a_stored_answer_will_do(clock: VirtualClock) -> None:
    """With only-if-cached no provider is asked."""
    house = House(clock, says("one"))
    handler = house.handler()
    directives = {"only-if-cached": None}

    with pytest.raises(GatewayError) as caught:
        await handler(missed := house.call(directives=directives))
    await text_of(await handler(house.call()))
    text = await text_of(await handler(house.call(directives=directives)))

    assert (caught.value.kind, missed.journal.cache, text) == (NOT_CACHED, "miss", "one")


async def test_what_is_never_stored_is_never_there(clock: VirtualClock) -> None:
    """With only-if-cached no provider is asked either where the cache has no part in a request."""
    house = House(clock, says("one"))
    call = house.call(directives={"only-if-cached": None, "no-store": None})

    with pytest.raises(GatewayError) as caught:
        await house.handler()(call)

    assert (caught.value.kind, call.journal.cache) == (NOT_CACHED, "bypass")


async def test_what_the_policy_leaves_out_passes_by(clock: VirtualClock) -> None:
    """A request with tools is neither answered from the cache nor stored, nor is a body that is no JSON."""
    house = House(clock, says("one"), says("two"), says("three"))
    handler = house.handler()
    tools = {"tools": [{"type": "function", "function": {"name": "f"}}]}
    calls = [house.call(fields=tools), house.call(fields=tools), house.call()]
    calls[2] = msgspec.structs.replace(calls[2], request=PlainRequest(Operation.SPEECH, "m", b"--x"))

    texts = [await text_of(await handler(call)) for call in calls]

    assert texts == ["one", "two", "three"]
    assert [call.journal.cache for call in calls] == ["bypass"] * 3
    assert house.caching.tally.bypassed == 3


async def test_a_caller_may_be_told_the_key(clock: VirtualClock) -> None:
    """With `x-wizard-debug` an answer says under which key it is stored, for an operator to delete it."""
    house = House(clock, says("one"))
    call = house.call(debug=True)
    await text_of(await house.handler()(call))

    assert house.shelf.remove(Selection(key=call.journal.notes["x-wizard-cache-key"])) == 1


async def test_other_operations_are_stored_too(clock: VirtualClock) -> None:
    """Vectors are answers like others."""
    vectors = Completion(b'{"data":[{"embedding":[1.5]}]}')

    async def step(_call: object) -> Reply:
        return Reply(vectors)

    house = House(clock, step)
    handler = house.handler()
    request = PlainRequest(Operation.EMBEDDINGS, "m", b'{"model":"m","input":"x"}')

    replies = [await handler(msgspec.structs.replace(house.call(), request=request)) for _ in range(2)]

    assert [reply.body for reply in replies] == [vectors, vectors]


async def test_a_stale_answer_bridges_the_time_until_there_is_a_new_one(clock: VirtualClock) -> None:
    """It is given with a warning, at once, while one call fetches a new one that the next one gets."""
    house = House(clock, says("old"), says("new", after_s=1.0))
    handler = house.handler(msgspec.structs.replace(LIFETIMES, revalidate_s=30.0))
    await text_of(await handler(house.call()))
    await asyncio.sleep(61.0)
    began, calls = clock.now(), [house.call(), house.call()]

    texts = [await text_of(await handler(call)) for call in calls]
    took_s = clock.now() - began
    await asyncio.sleep(1.5)
    after = await text_of(await handler(house.call()))

    assert (texts, took_s, after) == (["old", "old"], 0.0, "new")
    assert [call.journal.notes for call in calls] == [{"warning": '110 - "Response is Stale"', "age": "61"}] * 2
    assert (house.caching.tally.stale, house.caching.tally.hits) == (2, 3)
    assert len(house.provider.asked) == 2


async def test_a_renewal_that_fails_or_hangs_harms_nobody(clock: VirtualClock) -> None:
    """The stale answer stays as long as it may; the renewal has the time of a call."""
    house = House(clock, says("old"), fails(TARGET_FAILED), says("late", after_s=400.0))
    handler = house.handler(msgspec.structs.replace(LIFETIMES, revalidate_s=1000.0))
    await text_of(await handler(house.call()))
    await asyncio.sleep(61.0)

    texts = []
    for _ in range(3):
        texts.append(await text_of(await handler(house.call())))
        await asyncio.sleep(100.0)
    await asyncio.sleep(300.0)

    assert texts == ["old"] * 3
    assert len(house.provider.asked) == 3
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.parametrize("coalesce", [True, False])
async def test_a_stale_answer_stands_in_for_a_dead_provider(clock: VirtualClock, coalesce: bool) -> None:
    """If there is no new one to be had the old one is given with a warning, for so long; a caller's fault is told."""
    house = House(clock, says("old"), fails(TARGET_FAILED), fails(INVALID_REQUEST), fails(TARGET_FAILED))
    handler = house.handler(msgspec.structs.replace(LIFETIMES, on_error_s=30.0), coalesce=coalesce)
    await text_of(await handler(house.call()))
    await asyncio.sleep(61.0)

    call = house.call()
    text = await text_of(await handler(call))
    with pytest.raises(GatewayError):
        await handler(house.call())
    await asyncio.sleep(30.0)
    with pytest.raises(GatewayError):
        await handler(house.call())

    assert (text, call.journal.cache) == ("old", "hit")
    assert call.journal.notes["warning"] == '111 - "Revalidation Failed"'


async def test_a_caller_that_bounds_the_age_gets_nothing_stale(clock: VirtualClock) -> None:
    """`max-age` is stronger than what an operator allows."""
    house = House(clock, says("old"), fails(TARGET_FAILED))
    handler = house.handler(msgspec.structs.replace(LIFETIMES, on_error_s=30.0))
    await text_of(await handler(house.call()))
    await asyncio.sleep(61.0)

    with pytest.raises(GatewayError):
        await handler(house.call(directives={"max-age": 100}))


@pytest.mark.parametrize("coalesce", [True, False])
async def test_a_stream_comes_again_as_it_came(clock: VirtualClock, coalesce: bool) -> None:
    """With a recorded pace the pieces of a stored stream come at the times of the first one; without, at once."""
    house = House(clock, sings("word " * 30, "word " * 30, "end", pause_s=2.0))
    handler = house.handler(coalesce=coalesce, paced=True)
    await text_of(await handler(house.stream()))
    began = clock.now()
    reply = await handler(house.stream())
    assert not isinstance(reply.body, Completion)

    times = [(clock.now() - began, text_in(list(batch))) async for batch in reply.body]
    whole = await handler(house.call())

    assert isinstance(whole.body, Completion)
    assert clock.now() - began == times[-1][0] == 6.0
    assert times[0][0] == 0.0
    assert len(times) > 2
    assert "".join(text for _, text in times) == "word " * 60 + "end"


async def test_a_large_answer_is_streamed_in_several_writes(clock: VirtualClock) -> None:
    """The client's pace counts for a stored answer, too."""
    house = House(clock, says("word " * 15_000))
    handler = house.handler()
    await text_of(await handler(house.call()))
    reply = await handler(house.stream())
    assert not isinstance(reply.body, Completion)

    batches = [batch async for batch in reply.body]

    assert len(batches) > 1
    assert text_in([event for batch in batches for event in batch]) == "word " * 15_000


async def test_a_stored_stream_tells_how_it_ended(clock: VirtualClock) -> None:
    """Outer stages see a stored answer end like any other."""
    house = House(clock, says())
    handler = house.handler()
    await text_of(await handler(house.call()))
    told: list[Outcome] = []

    reply = await settle(house.stream(), handler, told.append)
    await events_of(reply)

    assert [outcome.end for outcome in told] == [End.COMPLETED]
    assert said().usage == Usage(1, 2, 3)
