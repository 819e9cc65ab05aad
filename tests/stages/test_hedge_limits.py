"""When and how often a second target is asked, and for which calls never."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.call import Call, CallOptions, Reply
from app.core.signals import HedgeStarted
from app.core.traffic.loads import KNOWN_MIN
from tests.stages.hedging import EAGER, NAMES, Bench
from tests.support.calls import OTHER, TARGET, a_call, answers, asking, hangs, text_of
from tests.support.virtual_time import VirtualTimeLoop


@pytest.mark.parametrize(
    ("learned_s", "count", "delay_s"),
    [
        (0.75, KNOWN_MIN, 0.75),
        (0.75, KNOWN_MIN - 1, EAGER.max_s),
        (0.125, KNOWN_MIN, EAGER.min_s),
        (60.0, KNOWN_MIN, EAGER.max_s),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_the_delay_is_learned(learned_s: float, count: int, delay_s: float, *, stream: bool) -> None:
    """It is what the first target usually takes, within its bounds; while too little is known, the upper one."""
    bench = Bench({TARGET: hangs(), OTHER: answers()}, stream=stream)
    bench.learn(TARGET, learned_s, count)
    bench.learn(OTHER, 0.625)

    await bench.answer()

    assert bench.asked == [(TARGET, 0.0), (OTHER, delay_s)]
    assert bench.signals[0] == HedgeStarted("req_1", *NAMES, delay_s)


async def test_the_delay_follows_the_calls() -> None:
    """After twenty answers of the first target the hedge of a stuck one comes as soon as they came."""
    times = iter([0.75] * KNOWN_MIN + [1e9])

    async def first(call: Call) -> Reply:
        return await answers("first", after_s=next(times))(call)

    bench = Bench({TARGET: first, OTHER: answers("second")})

    said = [await text_of(await bench.answer()) for _ in range(KNOWN_MIN + 1)]

    assert said == ["first"] * KNOWN_MIN + ["second"]
    assert bench.asked[-1] == (OTHER, 0.75)


async def test_a_caller_who_wants_no_fallback_gets_no_hedge() -> None:
    """`x-wizard-fallback: off` stays with the first target."""
    bench = Bench({TARGET: answers("first", after_s=60.0), OTHER: answers("second")})

    reply = await bench.answer(a_call(options=CallOptions(fallback=False)))

    assert await text_of(reply) == "first"
    assert bench.hedges == []


async def test_one_target_is_not_hedged() -> None:
    """Nobody else can be asked."""
    bench = Bench({TARGET: answers("first", after_s=60.0)})

    await bench.answer()

    assert (bench.asked, bench.hedges) == ([(TARGET, 0.0)], [])


async def test_another_route_is_not_hedged() -> None:
    """Hedging belongs to the route that a caller names."""
    bench = Bench({TARGET: answers("first", after_s=60.0), OTHER: answers("second")})

    reply = await bench.answer(a_call(asking(model="slow")))

    assert await text_of(reply) == "first"
    assert bench.hedges == []


async def test_a_fallback_is_not_hedged_to() -> None:
    """What comes next but is no target of the route is for failures only."""
    options = msgspec.structs.replace(EAGER, targets=frozenset({TARGET}))
    bench = Bench({TARGET: answers("first", after_s=60.0), OTHER: answers("second")}, options=options)

    reply = await bench.answer()

    assert (await text_of(reply), bench.hedges) == ("first", [])


async def test_a_target_that_may_not_be_hedged_costs_no_budget() -> None:
    """While the predicate says no (an open circuit), nobody is asked early, and the share is kept for later."""
    bench = Bench({TARGET: answers("first", after_s=60.0), OTHER: answers("second")}, ratio=0.5)
    bench.refusing = {OTHER}
    refused = [await text_of(await bench.answer()) for _ in range(2)]

    bench.refusing = set()
    allowed = await text_of(await bench.answer())

    assert (refused, allowed, bench.hedges) == (["first", "first"], "second", ["won"])


@given(st.lists(st.booleans(), max_size=80), st.sampled_from((0.0, 0.05, 0.25, 0.5, 1.0)))
def test_hedges_stay_within_the_budget(slow: list[bool], ratio: float) -> None:
    """However many calls are slow, hedges never exceed their share of the calls so far."""

    async def traffic() -> None:
        pace = iter(slow)

        async def first(call: Call) -> Reply:
            return await answers("first", after_s=60.0 if next(pace) else 0.0)(call)

        bench = Bench({TARGET: first, OTHER: answers("second")}, ratio=ratio)
        for number in range(1, len(slow) + 1):
            await bench.answer()
            assert len(bench.hedges) <= ratio * number + 1e-6

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(traffic())
