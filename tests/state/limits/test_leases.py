"""Limits whose replicas take blocks, so that not every call asks Redis."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack

from app.core.gcra import US_PER_S
from app.core.rules import Rule
from app.state.limits.blocks import BLOCK_US
from tests.state.limits.limiting import ask, claim, places, remaining, requests, tokens
from tests.state.limits.sharing import OPTIONS, RARE, Replica, replica, scripts_run
from tests.state.sharing import until
from tests.support.redis_server import RedisServer
from tests.support.windows import worst_excess

REPLICAS, TASKS, CALLS = 3, 4, 700


async def test_a_block_spares_round_trips(server: RedisServer) -> None:
    """A hundred calls ask a few times, also for tokens that are settled."""
    asked = ask(claim(requests(1000, 3600, lease=40)), claim(tokens(100_000, 3600, lease=4000), 100))
    async with replica(server.url, "spares", RARE) as one:
        before = scripts_run(server)
        for _ in range(100):
            decision = await one.ask(asked)
            assert decision.admitted
            one.limits.settle(decision, 60)
        asked_times = scripts_run(server) - before

    assert asked_times <= 8


async def test_a_crowd_takes_one_block(server: RedisServer) -> None:
    """Calls that come in the same moment do not each take one."""
    rule = requests(1000, 3600, lease=100)
    async with replica(server.url, "crowd", RARE) as one:
        decisions = await asyncio.gather(*(one.ask(ask(claim(rule))) for _ in range(50)))
        (level,) = await one.limits.levels()

    assert {True} == {decision.admitted for decision in decisions}
    assert 1000 - 50 - 100 <= level.remaining <= 1000 - 101


async def test_near_the_limit_blocks_get_small(shared_server: RedisServer) -> None:
    """No replica takes more than half of what is left, so that all get some; and none gets one too many."""
    rule = requests(20, 3600, lease=15)
    async with replica(shared_server.url, "near") as one, replica(shared_server.url, "near") as other:
        said = {each: [await each.say(ask(claim(rule))) for _ in range(10)] for each in (one, other)}
        after = [await each.say(ask(claim(rule))) for _ in range(10) for each in (one, other)]

    assert [10, 9] <= [answers.count("yes") for answers in said.values()]
    assert 18 <= sum(answers.count("yes") for answers in (*said.values(), after)) <= 20


async def test_what_is_left_of_a_block_is_given_back(shared_server: RedisServer) -> None:
    """A replica that has nothing to do keeps nothing from the others."""
    rule = requests(100, 3600, lease=90)
    async with replica(shared_server.url, "left") as one:
        await one.ask(ask(claim(rule)))
        taken = remaining(await one.limits.levels())
        await until(lambda: _remains(one, 99))

    assert [49] == taken  # of 100 it has 1 and half of the rest


async def test_a_rule_without_a_lease_is_asked_for(server: RedisServer) -> None:
    """Then blocks spare nothing, so none are taken."""
    asked = ask(claim(requests(1000, 3600, lease=100)), claim(places(50)))
    async with replica(server.url, "mixed", RARE) as one:
        before = scripts_run(server)
        for _ in range(10):
            await one.ask(asked)
        asked_times = scripts_run(server) - before
        levels = await one.limits.levels()

    assert 10 == asked_times
    assert 990 == levels[0].remaining


async def test_tokens_beyond_a_block_are_owed(shared_server: RedisServer) -> None:
    """What an answer takes beyond its reservation comes out of the block, and then out of the bucket."""
    rule = tokens(1000, 3600, lease=100)
    async with replica(shared_server.url, "owed", RARE) as one:
        decision = await one.ask(ask(claim(rule, 50)))
        one.limits.settle(decision, 350)
        await until(lambda: _remains(one, 1000 - 150 - 200))
        after = await one.say(ask(claim(rule, 10)))

    assert "yes" == after


async def test_a_block_that_redis_refused_is_asked_for_again(shared_server: RedisServer) -> None:
    """A refusal leaves no trace: once there is something, blocks are taken."""
    rule = requests(1, 3.0, burst=1, lease=50)
    async with replica(shared_server.url, "again", RARE) as one:
        said = [await one.say(ask(claim(rule))) for _ in range(2)]
        await until(lambda: _passes(one, rule))

    assert ["yes", "no"] == said


async def test_blocks_are_lost_with_redis(server: RedisServer) -> None:
    """What was taken from a Redis that is gone counts as used: the replica lives on its share of the other half."""
    rule = requests(60, 3600, burst=10, lease=8)
    async with replica(server.url, "lost", replicas=2) as one:
        await one.ask(ask(claim(rule)))
        server.kill()
        await until(lambda: not one.link.up)
        said = [await one.say(ask(claim(rule))) for _ in range(8)]

    assert 2 == said.count("yes")


async def test_all_replicas_together_are_late_by_a_second_at_most(shared_server: RedisServer) -> None:
    """In every window they let in no more than burst and rate allow, and what a block may be old for."""
    rule = requests(400, 1.0, burst=100, lease=50)
    assert rule.rate is not None

    async with AsyncExitStack() as running:
        replicas = [
            await running.enter_async_context(replica(shared_server.url, "late", OPTIONS)) for _ in range(REPLICAS)
        ]
        admitted: list[int] = []
        await asyncio.gather(*(_hammer(each, rule, admitted) for each in replicas for _ in range(TASKS)))
    history = sorted((at_us, 1) for at_us in admitted)

    allowed = rule.rate.amount * BLOCK_US / US_PER_S
    assert worst_excess(history, rule.rate) <= allowed


async def _hammer(one: Replica, rule: Rule, admitted: list[int]) -> None:
    """Call until so many have been let in, here and at the others."""
    while len(admitted) < CALLS:
        if (await one.ask(ask(claim(rule)))).admitted:
            admitted.append(int(time.monotonic() * US_PER_S))
        await asyncio.sleep(0.002)


async def _passes(one: Replica, rule: Rule) -> bool:
    return await one.say(ask(claim(rule))) == "yes"


async def _remains(one: Replica, wanted: int) -> bool:
    return remaining(await one.limits.levels()) == [wanted]
