"""Bounding what runs at the same time."""

from __future__ import annotations

import asyncio

import pytest

from app.core.call import Attempt, Reply
from app.core.errors import OVERLOADED, TARGET_FAILED, GatewayError
from app.core.pipeline import Handler, compose
from app.core.stream import EventStream
from app.core.traffic.memory import Slots
from app.stages.bulkhead import Bulkhead
from tests.support.calls import (
    OTHER,
    TARGET,
    FakeProvider,
    Line,
    Step,
    an_attempt,
    answers,
    fails,
    hangs,
    streams,
    text_of,
    word,
)


def bounded(slots: Slots, *script: Step, **limits: int) -> Handler[Attempt]:
    """Put a bulkhead over a script; limits are named by provider, or `small` for the usual target."""
    named = {{"small": "acme/small"}.get(name, name): most for name, most in limits.items()}
    return compose([Bulkhead(named, slots)], FakeProvider(*script))


async def test_no_bound_means_no_bound() -> None:
    """Where nothing is configured nothing is counted."""
    handler = bounded(Slots(), *[answers("hello")] * 3, box=1)

    replies = await asyncio.gather(*[handler(an_attempt()) for _ in range(3)])

    assert [await text_of(reply) for reply in replies] == ["hello"] * 3


async def test_one_too_many_is_refused_at_once() -> None:
    """A full target says so without waiting, and when to come back."""
    handler = bounded(Slots(), hangs(), hangs(), small=2)
    running = [asyncio.ensure_future(handler(an_attempt())) for _ in range(2)]
    await asyncio.sleep(1.0)

    with pytest.raises(GatewayError) as caught:
        await handler(an_attempt())

    error = caught.value
    assert error.kind is OVERLOADED
    assert (error.provider, error.from_upstream, error.retry_after_s) == ("acme", False, 1.0)
    assert error.message == "'acme/small' is at its limit of 2 calls at the same time."
    for task in running:
        task.cancel()
    await asyncio.wait(running)


@pytest.mark.parametrize("ending", ["answer", "failure", "leaving"])
async def test_every_ending_frees_the_place(ending: str) -> None:
    """An answer, a failure and a client that leaves each make room for the next call."""
    step = {"answer": answers(), "failure": fails(TARGET_FAILED), "leaving": hangs()}[ending]
    slots = Slots()
    handler = bounded(slots, step, answers("next"), small=1, acme=1)
    task = asyncio.ensure_future(handler(an_attempt()))
    await asyncio.sleep(1.0)

    task.cancel()
    await asyncio.wait([task])
    reply = await handler(an_attempt())

    assert await text_of(reply) == "next"
    assert slots.take("acme", 1)


@pytest.mark.parametrize("read", [True, False], ids=["read to its end", "left early"])
async def test_a_stream_keeps_its_place_to_the_last_byte(read: bool) -> None:
    """A committed stream still occupies the target; the place is free when it ends or is left."""
    handler = bounded(Slots(), streams(Line(word("a"), word("b"))), answers("next"), small=1)
    reply: Reply = await handler(an_attempt())
    assert isinstance(reply.body, EventStream)

    with pytest.raises(GatewayError):
        await handler(an_attempt())
    await (text_of(reply) if read else reply.body.aclose())
    after = await handler(an_attempt())

    assert await text_of(after) == "next"


async def test_a_provider_bounds_all_its_models() -> None:
    """Both bounds hold; where the inner one refuses, the outer place is not lost."""
    slots = Slots()
    handler = bounded(slots, hangs(), answers("other"), small=1, acme=2, box=1)
    task = asyncio.ensure_future(handler(an_attempt()))
    await asyncio.sleep(1.0)

    with pytest.raises(GatewayError, match="'acme/small' is at its limit"):
        await handler(an_attempt())
    other = await handler(an_attempt(target=OTHER))

    assert await text_of(other) == "other"
    assert slots.take("acme", 2)
    assert not slots.take("acme", 2)
    task.cancel()
    await asyncio.wait([task])


async def test_a_new_bulkhead_knows_the_calls_of_the_old_one() -> None:
    """Places are counted by the process, so a reload with calls in flight admits no more than before."""
    slots = Slots()
    task = asyncio.ensure_future(bounded(slots, hangs(), small=1)(an_attempt(target=TARGET)))
    await asyncio.sleep(1.0)

    with pytest.raises(GatewayError):
        await bounded(slots, answers(), small=1)(an_attempt(target=TARGET))

    task.cancel()
    await asyncio.wait([task])
