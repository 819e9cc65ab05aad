"""Rate limits shared by replicas over a link: with Redis, without it, and in between."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.state.limits.limiting import ask, claim, places, remaining, requests, tokens
from tests.state.limits.sharing import OPTIONS, QUICK, RARE, Replica, replica, scripts_run
from tests.state.sharing import HANGS_S, until
from tests.support.redis_server import RedisServer

FEW, TEN, MANY = requests(60, 3600, burst=4), requests(10, 3600), tokens(1000, 3600)  # nothing comes back meanwhile


async def test_replicas_share_a_bucket(shared_server: RedisServer) -> None:
    """What one lets in is missing to the other."""
    async with replica(shared_server.url, "share") as one, replica(shared_server.url, "share") as other:
        said = [await each.say(ask(claim(FEW))) for each in (one, other, one, other, one, other)]

    assert ["yes"] * 4 + ["no"] * 2 == said


async def test_a_call_costs_one_round_trip_before_and_one_after(server: RedisServer) -> None:
    """However many rules it meets; one without tokens and places costs none after."""
    plain, whole = ask(claim(TEN)), ask(claim(TEN), claim(MANY, 10), claim(places(5)))
    async with replica(server.url, "trips", RARE) as one:
        before = scripts_run(server)
        one.limits.settle(await one.ask(whole), 7)
        await until(lambda: _left(one, [9, 993, 5]))
        looks = scripts_run(server) - before
        one.limits.settle(await one.ask(plain), 7)
        await asyncio.sleep(0.05)
        after = scripts_run(server) - before - looks

    assert 1 == after
    assert 3 <= looks  # one for all three, one to settle, and the looks of this test


async def test_a_caller_who_was_refused_is_refused_again_at_once(server: RedisServer) -> None:
    """Without a round trip, with the time that is left; other callers are not concerned."""
    rule = requests(60, 3600, burst=1)
    async with replica(server.url, "again", RARE) as one:
        await one.ask(ask(claim(rule)))
        first = await one.ask(ask(claim(rule)))
        trips = scripts_run(server)
        more = [await one.ask(ask(claim(rule), claim(MANY, 10))) for _ in range(20)]
        untouched = scripts_run(server) - trips
        other = await one.ask(ask(claim(rule, of="other")))

    assert 0 == untouched
    assert {False} == {decision.admitted for decision in more}
    assert first.refusal is not None
    assert more[-1].refusal is not None
    assert 0 < more[-1].refusal.wait_us <= first.refusal.wait_us
    assert other.admitted


async def test_a_smaller_call_is_asked_for(shared_server: RedisServer) -> None:
    """A refusal of many tokens says nothing of few, and is forgotten when some come back."""
    rule = tokens(100, 3600)
    async with replica(shared_server.url, "smaller") as one:
        held = await one.ask(ask(claim(rule, 60)))
        said = [await one.say(ask(claim(rule, units))) for units in (50, 50, 30)]
        one.limits.settle(held, 0)
        after = await one.say(ask(claim(rule, 50)))

    assert ["no", "no", "yes"] == said
    assert "yes" == after


async def test_a_remembered_refusal_passes(shared_server: RedisServer) -> None:
    """Once its time is over the caller is let in."""
    rule = requests(1, 3.0, burst=1)
    async with replica(shared_server.url, "passes") as one:
        await one.ask(ask(claim(rule)))
        refused = await one.say(ask(claim(rule)))
        await until(lambda: _passes(one, claim(rule)))

    assert "no" == refused


async def test_a_place_that_is_left_lets_the_next_in(shared_server: RedisServer) -> None:
    """On any replica, within a twentieth of a second."""
    rule = places(1)
    async with replica(shared_server.url, "places") as one, replica(shared_server.url, "places") as other:
        held = await one.ask(ask(claim(rule)))
        refused = [await each.say(ask(claim(rule))) for each in (one, other)]
        one.limits.settle(held, 0)
        await until(lambda: _passes(other, claim(rule)))

    assert ["no", "no"] == refused


async def test_a_place_on_its_way_back_is_waited_for(shared_server: RedisServer) -> None:
    """A call that ended at one replica is not in the way of the next one at another, whoever reaches Redis first."""
    rule = places(1)
    async with replica(shared_server.url, "soon") as one, replica(shared_server.url, "soon") as other:
        held = await one.ask(ask(claim(rule)))
        async with other.clock.pausing:
            asking = asyncio.ensure_future(other.ask(ask(claim(rule))))
            await until(lambda: other.clock.pauses)
            one.limits.settle(held, 0)
            await until(lambda: _left(one, [1]))
        following = await asking

    assert following.admitted


async def test_a_place_that_was_granted_too_late_is_left(server: RedisServer) -> None:
    """Redis may take a place for a call that has given it up and was decided alone; nobody is to wait for its end."""
    rule = places(2)
    async with replica(server.url, "late", options=QUICK) as one:
        server.freeze()
        said = await one.say(ask(claim(rule), hold_s=600))
        await until(lambda: not one.link.up)
        server.thaw()

        await until(lambda: one.link.up)
        await until(lambda: _left(one, [2]))

    assert "yes" == said


async def test_a_caller_who_leaves_while_asking_gives_everything_back(shared_server: RedisServer) -> None:
    """The place and the tokens that Redis grants afterwards are free again at once."""
    place, many = places(1), tokens(100, 3600)
    async with replica(shared_server.url, "leaves") as one:
        leaving = asyncio.ensure_future(one.ask(ask(claim(place), claim(many, 100))))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.wait([leaving])

        await until(lambda: _passes(one, claim(place)))
        await until(lambda: _passes(one, claim(many, 90)))


async def test_without_redis_each_decides_for_its_share(server: RedisServer) -> None:
    """Two replicas know of each other, so each lets half in; what is shared counts again afterwards."""
    rule = requests(60, 36_000, burst=8)
    async with replica(server.url, "alone") as one, replica(server.url, "alone") as other:
        for each in (one, other):
            await each.limits.beat()
        await one.limits.beat()
        server.kill()
        await until(lambda: not one.link.up and not other.link.up)
        said = [[await each.say(ask(claim(rule))) for _ in range(6)] for each in (one, other)]
        server.start()
        await until(lambda: one.link.up)
        after = await one.say(ask(claim(rule)))

    assert [["yes"] * 4 + ["no"] * 2] * 2 == said
    assert "yes" == after


async def test_alone_buckets_are_as_full_as_they_were(server: RedisServer) -> None:
    """Each of two replicas goes on with its part of what was left; of what nobody used it has its whole part."""
    rule = requests(60, 36_000, burst=8)
    async with replica(server.url, "fresh") as one, replica(server.url, "fresh") as other:
        for each in (one, other, one):
            await each.limits.beat()
        said = [await each.say(ask(claim(rule))) for each in (one, one, one, other)]
        server.kill()
        await until(lambda: not one.link.up and not other.link.up)

        rest = [[await each.say(ask(claim(rule))) for _ in range(3)] for each in (one, other)]
        unused = [await one.say(ask(claim(rule, of="other"))) for _ in range(5)]

    assert ["yes"] * 4 == said
    assert [["yes", "yes", "no"]] * 2 == rest
    assert ["yes"] * 4 + ["no"] == unused


async def test_alone_who_was_refused_stays_refused(server: RedisServer) -> None:
    """A caller who was over a limit a moment ago is not let through because Redis has trouble."""
    rule = requests(60, 3600, burst=1)
    async with replica(server.url, "over", QUICK) as one:
        await until(lambda: one.link.up)
        said = [await one.say(ask(claim(rule))) for _ in range(2)]
        server.freeze()
        await until(lambda: not one.link.up)

        said += [await one.say(ask(claim(rule))) for _ in range(2)]

    assert ["yes", "no", "no", "no"] == said


async def test_alone_a_large_call_is_not_impossible() -> None:
    """One that is larger than a replica's share passes if that is untouched; places are shared as well."""
    big, few = tokens(60, 3600, burst=60), places(4)
    async with replica("redis://127.0.0.1:1/0", "large", QUICK, replicas=4) as one:
        first, second = [await one.ask(ask(claim(big, 60), claim(few))) for _ in range(2)]
        one.limits.settle(first, 0)
        third = await one.ask(ask(claim(big, 60), claim(few)))
        levels = await one.limits.levels()

    assert (True, False, True) == (first.admitted, second.admitted, third.admitted)
    assert first.alone
    assert [0, 0] == remaining(levels)


async def test_alone_places_count_that_were_taken_before(server: RedisServer) -> None:
    """Whoever holds its part of the places already grants no more of them until one is given back."""
    rule = places(4)
    async with replica(server.url, "held", QUICK) as one, replica(server.url, "held", QUICK) as other:
        for each in (one, other, one):
            await each.limits.beat()
        held = [await one.ask(ask(claim(rule))) for _ in range(2)]
        server.kill()
        await until(lambda: not one.link.up and not other.link.up)

        full = await one.say(ask(claim(rule)))
        one.limits.settle(held[0], 0)
        room = [await one.say(ask(claim(rule))) for _ in range(2)]
        others = [await other.say(ask(claim(rule))) for _ in range(3)]

    assert [decision.alone for decision in held] == [False, False]
    assert (full, room) == ("no", ["yes", "no"])
    assert others == ["yes", "yes", "no"]


@pytest.mark.parametrize(("fail", "said"), [("open", "yes"), ("closed", "state_unavailable")])
async def test_other_policies_without_redis(fail: Any, said: str) -> None:  # noqa: ANN401 - one of three words
    """Open never refuses, closed always."""
    async with replica("redis://127.0.0.1:1/0", "policy", QUICK, fail=fail) as one:
        found = [await one.say(ask(claim(requests(1)))) for _ in range(5)]

    assert [said] * 5 == found


async def test_what_could_not_be_settled_is_settled_later(server: RedisServer) -> None:
    """Places that are left while Redis hangs are free once it is back, long before their time is over."""
    rule = places(1)
    async with replica(server.url, "later", QUICK) as one:
        held, other = await one.ask(ask(claim(rule))), await one.ask(ask(claim(places(1), of="other")))
        server.freeze()
        one.limits.settle(held, 0)  # on its way when the link is lost
        await until(lambda: not one.link.up)
        one.limits.settle(other, 0)  # not sent at all
        server.thaw()
        await until(lambda: one.link.up)

        await until(lambda: _passes(one, claim(rule)))
        await until(lambda: _passes(one, claim(places(1), of="other")))


async def test_an_answer_that_comes_too_late_is_given_back(server: RedisServer) -> None:
    """The call was decided here; the place that Redis granted to it as well is free again."""
    rule = places(1)
    async with replica(server.url, "late", QUICK) as one:
        server.freeze()
        decision = await one.ask(ask(claim(rule)))
        server.thaw()
        await until(lambda: one.link.up)
        one.limits.settle(decision, 0)

        await until(lambda: _passes(one, claim(rule)))

    assert decision.alone


async def test_no_call_waits_longer_than_its_timeout(server: RedisServer) -> None:
    """While Redis is frozen calls are decided by this process, in time."""
    async with replica(server.url, "patience", QUICK) as one:
        server.freeze()
        async with asyncio.timeout(HANGS_S):
            said = await asyncio.gather(*(one.say(ask(claim(FEW))) for _ in range(50)))
        server.thaw()

    assert 4 == said.count("yes")


async def test_an_operator_sees_what_redis_says(server: RedisServer) -> None:
    """Of the buckets that this replica has seen; nothing while Redis does not answer."""
    async with replica(server.url, "seen", QUICK) as one, replica(server.url, "seen", QUICK) as other:
        await one.ask(ask(claim(FEW), claim(places(3))))
        await one.ask(ask(claim(requests(5), of="slot"), slot="elsewhere"))
        await other.ask(ask(claim(FEW)))

        levels = await one.limits.levels()
        server.freeze()
        hanging = await one.limits.levels()
        server.thaw()

    assert [2, 2, 4] == remaining(levels)
    assert [] == hanging


async def test_nothing_is_left_behind(shared_server: RedisServer) -> None:
    """Neither tasks nor futures."""
    async with replica(shared_server.url, "closing", OPTIONS) as one:
        decision = await one.ask(ask(claim(places(3))))
        one.limits.settle(decision, 0)

    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def _left(one: Replica, wanted: list[int]) -> bool:
    return remaining(await one.limits.levels()) == wanted


async def _passes(one: Replica, asked: Any) -> bool:  # noqa: ANN401 - a claim
    return await one.say(ask(asked)) == "yes"
