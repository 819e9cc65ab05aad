"""Composing stages, and settling a call whichever of the seven ways it ends."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec
import pytest

from app.core.call import Call, Reply
from app.core.errors import STREAM_BROKEN, TARGET_FAILED, TARGET_UNAVAILABLE, GatewayError
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, compose, settle
from app.core.stream import EventStream
from tests.support.calls import (
    FakeProvider,
    Line,
    Step,
    Witness,
    a_call,
    answers,
    fails,
    hangs,
    raises,
    role,
    streams,
    text_of,
    word,
)

COMPLETED = Outcome(End.COMPLETED)


class Letter:
    """A stage that writes its letter into the call's id on the way in, and into a list on the way out."""

    def __init__(self, letter: str, returned: list[str]) -> None:
        self._letter = letter
        self._returned = returned

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """Pass on a changed copy."""
        reply = await proceed(msgspec.structs.replace(call, id=call.id + self._letter))
        self._returned.append(self._letter)
        return reply


class Settled:
    """A stage that does nothing but settle."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """Pass the call on."""
        return await settle(call, proceed, self._witness)


@pytest.fixture(params=[None, 0.25], ids=["plain", "waiting"])
def witness(request: pytest.FixtureRequest) -> Witness:
    """Return a finisher; every test runs with a plain one and with one that waits."""
    return Witness(request.param)


async def settled(witness: Witness, *script: Step) -> Reply:
    """Run one settled call against a script."""
    return await compose([Settled(witness)], FakeProvider(*script))(a_call())


def stream_of(reply: Reply) -> EventStream:
    """Return the stream in a reply."""
    assert isinstance(reply.body, EventStream)
    return reply.body


async def test_the_first_stage_listed_is_the_outermost() -> None:
    """Stages see the call in the order listed and the reply in the opposite one."""
    returned: list[str] = []
    provider = FakeProvider(answers("hello"))

    reply = await compose([Letter("a", returned), Letter("b", returned)], provider)(a_call())

    assert await text_of(reply) == "hello"
    assert [asked.id for asked in provider.asked if isinstance(asked, Call)] == ["req_1ab"]
    assert returned == ["b", "a"]


async def test_no_stages_leave_the_endpoint() -> None:
    """Composing nothing changes nothing."""
    provider = FakeProvider(answers())

    assert compose([], provider) is provider


async def test_a_whole_answer_is_completed(witness: Witness) -> None:
    """Way one, an answer: the finisher has been told of the completion when the reply is there."""
    reply = await settled(witness, answers("hello"))

    assert witness.told == [COMPLETED]
    assert await text_of(reply) == "hello"


async def test_an_error_before_the_answer_is_a_failure(witness: Witness) -> None:
    """Way two, an error: it comes out as it was, and the finisher knows it."""
    error = GatewayError(TARGET_FAILED, "no")

    with pytest.raises(GatewayError) as caught:
        await settled(witness, raises(error))

    assert caught.value is error
    assert witness.told == [Outcome(End.FAILED, error)]


async def test_a_cancellation_before_the_answer_is_an_abandonment(witness: Witness) -> None:
    """Way three, a client that leaves before the answer: nobody is blamed and the task ends cancelled."""
    task = asyncio.create_task(settled(witness, hangs()))
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert [outcome.end for outcome in witness.told] == [End.ABANDONED]


async def test_a_full_stream_is_completed_at_its_end(witness: Witness) -> None:
    """Way four, a full stream: the verdict comes after the last event and not before."""
    line = Line(role(), word("one "), word("two"))

    reply = await settled(witness, streams(line))
    early = list(witness.told)
    text = await text_of(reply)

    assert early == []
    assert text == "one two"
    assert witness.told == [COMPLETED]
    assert line.released == 1


async def test_an_error_inside_a_stream_is_a_failure(witness: Witness) -> None:
    """Way five, an upstream that dies in mid-answer: finisher and reader are told the same broken stream."""
    line = Line(word("one"), GatewayError(TARGET_UNAVAILABLE, "reset").answered_by("acme"))
    reply = await settled(witness, streams(line))

    with pytest.raises(GatewayError) as caught:
        await text_of(reply)

    assert caught.value.kind is STREAM_BROKEN
    assert witness.told == [Outcome(End.FAILED, caught.value)]
    assert line.released == 1


async def test_a_client_that_leaves_a_stream_abandons_it(witness: Witness) -> None:
    """Way six, a stream closed in the middle: abandoned, and nothing more is read from the provider."""
    line = Line(word("one"), word("two"), word("three"))
    reply = await settled(witness, streams(line))

    async with aclosing(stream_of(reply)) as stream:
        async for _ in stream:
            break

    assert [outcome.end for outcome in witness.told] == [End.ABANDONED]
    assert line.released == 1
    assert line.log.count("sent") == 1


async def test_a_task_cancelled_inside_a_stream_abandons_it(witness: Witness) -> None:
    """Way seven, a task cancelled while it waits for the next event: abandoned, and the task ends cancelled."""
    line = Line(word("one"), 1e9)
    reply = await settled(witness, streams(line))
    task = asyncio.create_task(text_of(reply))
    await asyncio.sleep(5.0)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert [outcome.end for outcome in witness.told] == [End.ABANDONED]
    assert line.released == 1


async def test_a_stream_that_nobody_reads_is_abandoned(witness: Witness) -> None:
    """A stream closed before its first event was asked for is settled like any other."""
    line = Line(role(), word())
    reply = await settled(witness, streams(line))

    await stream_of(reply).aclose()

    assert [outcome.end for outcome in witness.told] == [End.ABANDONED]
    assert line.released == 1


async def test_settling_stages_are_told_from_the_inside_out() -> None:
    """Of nested stages the innermost is told first, for whole answers, failures and streams alike."""
    for step in (answers(), fails(TARGET_FAILED), streams(Line(word()))):
        told: list[str] = []
        inner, outer = Named("inner", told), Named("outer", told)

        await asyncio.gather(text_after(compose([outer, inner], FakeProvider(step))), return_exceptions=True)

        assert told == ["inner", "outer"]


async def test_a_cancellation_during_settling_reaches_every_stage() -> None:
    """A client that leaves while an inner stage settles does not keep the outer one from being told."""
    inner, outer = Witness(0.5), Witness(0.5)
    handler = compose([Settled(outer), Settled(inner)], FakeProvider(answers()))
    task = asyncio.create_task(text_after(handler))
    await asyncio.sleep(0.1)

    task.cancel()
    await asyncio.wait([task])

    assert task.cancelled()
    assert [outcome.end for outcome in inner.told] == [End.COMPLETED]
    assert [outcome.end for outcome in outer.told] == [End.ABANDONED]


class Named:
    """A stage that settles by writing its name down."""

    def __init__(self, name: str, told: list[str]) -> None:
        self._name = name
        self._told = told

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """Pass the call on."""
        return await settle(call, proceed, lambda _outcome: self._told.append(self._name))


async def text_after(handler: Handler[Call]) -> str:
    """Make a call and read the reply to its end."""
    return await text_of(await handler(a_call()))
