"""Letting in so many calls, and letting others wait."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Call
from app.core.errors import OVERLOADED, TARGET_FAILED, GatewayError
from app.core.signals import AdmissionLimitChanged, CallQueued, CallShed, CallUnqueued, Overloaded
from app.core.stream import EventStream
from app.core.traffic.admission import Bounds
from tests.stages.admitting import HIGH, LOW, House, kinds, under_way
from tests.support.calls import Line, answers, fails, hangs, streams, text_of, word
from tests.support.virtual_time import VirtualClock


async def test_while_there_is_room_nothing_happens(clock: VirtualClock) -> None:
    """A call that finds a place goes on at once; only the limit is told, once."""
    house = House(clock, answers("a"), answers("b"))
    handler = house.handler(Bounds(2, 0))

    texts = [await text_of(await handler(house.call())) for _ in range(2)]

    assert texts == ["a", "b"]
    assert house.told == [AdmissionLimitChanged(2)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_a_call_waits_for_its_place(clock: VirtualClock, stream: bool) -> None:
    """The second call begins when the first one ends, and the time it waited is told."""
    second = streams(Line(word("b"))) if stream else answers("b")
    house = House(clock, answers("a", after_s=2.0), second)
    began = clock.now()

    async with under_way(house.handler(Bounds(1, 10)), house.call(), house.call(stream=stream)) as (first, waiting):
        replies = [await first, await waiting]

    assert [await text_of(reply) for reply in replies] == ["a", "b"]
    assert clock.now() == began + 2.0
    assert house.told[1:] == [CallQueued("normal"), CallUnqueued("normal", 2.0)]
    assert (house.gate.in_flight, house.gate.waiting) == (0, 0)


@pytest.mark.parametrize("read", [True, False], ids=["read to its end", "left early"])
async def test_a_stream_keeps_its_place_to_the_last_byte(clock: VirtualClock, read: bool) -> None:
    """A committed stream is still being worked on; the next call begins when it ends or is left."""
    house = House(clock, streams(Line(word("a"), word("b"))), answers("next"))
    handler = house.handler(Bounds(1, 10))
    reply = await handler(house.call(stream=True))
    assert isinstance(reply.body, EventStream)

    async with under_way(handler, house.call()) as (waiting,):
        await asyncio.sleep(1.0)
        waited = not waiting.done()
        await (text_of(reply) if read else reply.body.aclose())
        after = await waiting

    assert waited
    assert await text_of(after) == "next"


@pytest.mark.parametrize("ending", ["answer", "failure", "leaving"])
async def test_every_ending_frees_the_place(clock: VirtualClock, ending: str) -> None:
    """An answer, a failure and a client that leaves each let the next call in."""
    step = {"answer": answers(after_s=1.0), "failure": fails(TARGET_FAILED, after_s=1.0), "leaving": hangs()}[ending]
    house = House(clock, step, answers("next"))

    async with under_way(house.handler(Bounds(1, 10)), house.call(), house.call()) as (first, waiting):
        await asyncio.sleep(0.5)
        if ending == "leaving":
            first.cancel()
        reply = await waiting

    assert await text_of(reply) == "next"
    assert house.gate.in_flight == 0


async def test_a_full_queue_refuses_at_once(clock: VirtualClock) -> None:
    """The refusal takes no time, and says when to come back; chance spreads the returns."""
    house = House(clock, hangs(), chance=0.25)
    began = clock.now()

    async with under_way(house.handler(Bounds(1, 1), wait_s=8.0), house.call(), house.call()):
        with pytest.raises(GatewayError) as caught:
            await house.handler(Bounds(1, 1), wait_s=8.0)(house.call(LOW))

    error = caught.value
    assert (error.kind, error.retry_after_s, error.provider, error.from_upstream) == (OVERLOADED, 6.0, None, False)
    assert error.message == "The gateway is working on as many calls as it may (1), and the queue is full."
    assert clock.now() == began
    assert CallShed("req_1", "low", "queue_full") in house.told


@pytest.mark.parametrize(("wait_s", "chance", "retry_after_s"), [(0.1, 0.5, 1.0), (600.0, 0.5, 30.0)])
async def test_the_time_to_come_back_is_sensible(
    clock: VirtualClock, wait_s: float, chance: float, retry_after_s: float
) -> None:
    """It is never below a second, and never so long that SDKs would not wait."""
    house = House(clock, hangs(), chance=chance)
    handler = house.handler(Bounds(1, 0), wait_s=wait_s)

    async with under_way(handler, house.call()):
        with pytest.raises(GatewayError) as caught:
            await handler(house.call())

    assert caught.value.retry_after_s == retry_after_s


async def test_waiting_ends_after_the_longest_time(clock: VirtualClock) -> None:
    """A call that found no place in time is refused, and its place in the queue is free."""
    house = House(clock, hangs())
    handler = house.handler(Bounds(1, 10), wait_s=3.0)
    began = clock.now()

    async with under_way(handler, house.call()):
        with pytest.raises(GatewayError, match="the time for which this one could wait is over") as caught:
            await handler(house.call())

    assert caught.value.kind is OVERLOADED
    assert clock.now() == began + 3.0
    assert house.gate.waiting == 0
    assert house.told[2:] == [
        CallUnqueued("normal", 3.0),
        CallShed("req_1", "normal", "too_late"),
        Overloaded(refused=1, waiting=0, in_flight=1, limit=1),
    ]


async def test_waiting_ends_before_the_deadline(clock: VirtualClock) -> None:
    """A call that is about to run out of time is told that there was no room, not that nothing came in time."""
    house = House(clock, hangs())
    handler = house.handler(Bounds(1, 10))
    began = clock.now()

    async with under_way(handler, house.call()):
        with pytest.raises(GatewayError) as caught:
            await handler(house.call(total_s=1.0))

    assert caught.value.kind is OVERLOADED
    assert clock.now() == pytest.approx(began + 0.95)


async def test_a_call_without_time_does_not_wait(clock: VirtualClock) -> None:
    """What could not be answered in time any more takes no place in the queue from anybody."""
    house = House(clock, hangs())
    handler = house.handler(Bounds(1, 1))
    began = clock.now()

    async with under_way(handler, house.call(), house.call(LOW)) as (_, waiting):
        with pytest.raises(GatewayError):
            await handler(house.call(HIGH, total_s=0.05))
        still = not waiting.done()

    assert still
    assert clock.now() == began


async def test_a_client_that_leaves_the_queue(clock: VirtualClock) -> None:
    """Its place in the queue is free at once, and nobody is let in for it."""
    house = House(clock, answers("a", after_s=2.0), answers("c"))
    handler = house.handler(Bounds(1, 1))

    async with under_way(handler, house.call(), house.call()) as (first, leaving):
        await asyncio.sleep(0.5)
        leaving.cancel()
        await asyncio.wait([leaving])
        replies = [await handler(house.call()), await first]

    assert leaving.cancelled()
    assert [await text_of(reply) for reply in replies] == ["c", "a"]
    assert CallUnqueued("normal", 0.5) in house.told
    assert CallShed not in kinds(house.told)


async def test_a_client_that_leaves_as_it_is_let_in(clock: VirtualClock) -> None:
    """The place it was just given goes to the next call."""
    house = House(clock, hangs(), answers("next"))

    async with under_way(house.handler(Bounds(1, 5)), *[house.call() for _ in range(3)]) as (first, leaving, waiting):
        first.cancel()
        await asyncio.sleep(0.0)
        leaving.cancel()
        reply = await waiting

    assert leaving.cancelled()
    assert await text_of(reply) == "next"
    assert house.gate.in_flight == 0


async def test_a_client_that_leaves_as_it_is_pushed_out(clock: VirtualClock) -> None:
    """A call that is cancelled and decided about in the same moment just ends."""
    house = House(clock, hangs())
    handler = house.handler(Bounds(1, 1))

    async with under_way(handler, house.call(), house.call(LOW)) as (_, leaving):
        high = asyncio.ensure_future(handler(house.call(HIGH)))
        leaving.cancel()
        await asyncio.wait([leaving])
        waiting = house.gate.waiting
        high.cancel()
        await asyncio.wait([high])

    assert leaving.cancelled()
    assert waiting == 1


async def test_a_more_important_call_pushes_out(clock: VirtualClock) -> None:
    """In a full queue the low call is refused at once, and the high one waits and is answered."""
    house = House(clock, answers("a", after_s=2.0), answers("high"))
    calls = [house.call(), house.call(LOW), house.call(HIGH)]

    async with under_way(house.handler(Bounds(1, 1)), *calls) as (_, low, high):
        with pytest.raises(GatewayError, match="a call that goes first took its place") as caught:
            await low
        reply = await high

    assert caught.value.kind is OVERLOADED
    assert await text_of(reply) == "high"
    assert CallShed("req_1", "low", "pushed_out") in house.told


async def test_callers_take_turns(clock: VirtualClock) -> None:
    """Three calls of one caller and one of another: the other's comes second."""
    house = House(clock, *[answers(after_s=1.0)] * 5)
    calls = [house.call(caller=1), *[house.call(caller=1) for _ in range(3)], house.call(caller=2)]

    async with under_way(house.handler(Bounds(1, 10)), *calls) as tasks:
        await asyncio.wait(tasks)
        order = [asked.caller.id for asked in house.provider.asked if isinstance(asked, Call)]

    assert order == ["1", "1", "2", "1", "1"]


async def test_many_refusals_are_noted_once_a_second(clock: VirtualClock) -> None:
    """Each refusal is counted, but the log hears of them at most once a second, with their number."""
    house = House(clock, hangs())
    handler = house.handler(Bounds(1, 0))

    async with under_way(handler, house.call()):
        for pause_s in (0.0, 0.25, 0.25, 0.75):
            await asyncio.sleep(pause_s)
            with pytest.raises(GatewayError):
                await handler(house.call())

    assert kinds(house.told).count(CallShed) == 4
    assert [signal for signal in house.told if isinstance(signal, Overloaded)] == [
        Overloaded(refused=1, waiting=0, in_flight=1, limit=1),
        Overloaded(refused=3, waiting=0, in_flight=1, limit=1),
    ]


async def test_a_new_configuration_knows_who_is_inside(clock: VirtualClock) -> None:
    """Calls that began before a reload count; those that waited are let in by the newer, wider bounds."""
    house = House(clock, answers("a", after_s=3.0), answers("b", after_s=1.0), answers("c"))
    began = clock.now()

    async with (
        under_way(house.handler(Bounds(1, 5)), house.call(), house.call()) as (_, waiting),
        under_way(house.handler(Bounds(2, 5)), house.call()) as (newest,),
    ):
        replies = [await waiting, await newest]

    assert [await text_of(reply) for reply in replies] == ["b", "c"]
    assert clock.now() == began + 1.0
