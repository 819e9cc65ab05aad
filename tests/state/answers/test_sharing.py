"""Stored answers that replicas share, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import msgspec
import pytest

from app.core.caching.ports import Looked, Tally
from app.core.caching.stored import Selection
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.model import Native
from app.state.answers.leases import Rhythm
from app.state.answers.redis import PURGES_KEPT
from app.state.link import Fail
from tests.state.answers.rig import KEY, LINK, ORIGIN, OTHER, flight, kept, pair, replica
from tests.state.sharing import HANGS_S, until
from tests.support.redis_server import RedisServer

QUICK = msgspec.structs.replace(LINK, timeout_s=0.5)


@pytest.mark.parametrize("text", ["short", "word " * 1000])
async def test_what_one_stores_the_other_finds(redis: RedisServer, text: str) -> None:
    """All that there is to an answer comes back, also if it was large enough to be compressed."""
    native = Native("anthropic", b'{"a":1}')
    stored = kept(text, pace=((0.0, 0.5), (1.5, 1.0)))
    stored = msgspec.structs.replace(stored, completion=msgspec.structs.replace(stored.completion, native=native))

    async with pair(redis, f"find{len(text)}") as (one, two):
        one.answers.put(KEY, stored)
        await until(lambda: two.answers.get(KEY))
        found = await two.answers.get(KEY)
        looked = await two.answers.look(KEY, flight())
        absent = await two.answers.get(OTHER)

    assert found == looked.stored == stored
    assert (looked.lease, looked.remote, absent) == (None, None, None)


async def test_an_answer_is_gone_when_its_time_is_over(redis: RedisServer) -> None:
    """Redis itself forgets it, and with the next answer of its part also what operators are told."""
    async with replica(redis, "gone") as one:
        one.answers.put(KEY, kept(kept_s=1.0))
        there = await one.answers.get(KEY)
        await until(lambda: _is_gone(one.answers.get(KEY)))
        view = await one.answers.view()
        one.answers.put(KEY, kept())
        again = await one.answers.view()

    assert there is not None
    assert view is not None
    assert again is not None
    assert (view.entries, again.entries) == (0, 1)


async def _is_gone(found: object) -> bool:
    return await found is None  # type: ignore[misc]


async def test_one_of_all_replicas_makes_the_call(redis: RedisServer) -> None:
    """Whoever looks first gets the lease, the others are sent to it; once it is given back another one gets it."""
    async with pair(redis, "lease") as (one, two):
        first = await one.answers.look(KEY, flight())
        second = await two.answers.look(KEY, flight())
        assert first.lease is not None
        first.lease.drop()
        await one.answers.get(KEY)  # by then it has been told
        third = await two.answers.look(KEY, flight())

    assert (first.remote, second.lease) == (None, None)
    assert second.remote is not None
    assert third.lease is not None


async def test_a_stale_answer_is_renewed_by_one(redis: RedisServer) -> None:
    """It comes with the lease for one replica, and without for all others."""
    async with pair(redis, "stale") as (one, two):
        one.answers.put(KEY, kept(age_s=70.0))
        first = await one.answers.look(KEY, flight())
        second = await two.answers.look(KEY, flight())

    assert first.stored is not None
    assert first.lease is not None
    assert second.stored is not None
    assert second.remote is not None


async def test_a_lease_runs_out_with_its_replica(redis: RedisServer) -> None:
    """A replica that dies holds nobody up for longer than the lease lasts; one that lives keeps it for any time."""
    rhythm = Rhythm(lease_s=2.0, renewed_s=0.1)
    async with replica(redis, "dies", "two", rhythm=rhythm) as two:
        async with replica(redis, "dies", "one", rhythm=rhythm) as one:
            await one.answers.look(KEY, flight())
            await asyncio.sleep(rhythm.lease_s + 0.5)
            alive = await two.answers.look(KEY, flight())
        await until(lambda: _leads(two.answers.look(KEY, flight())))

    assert alive.remote is not None


async def _leads(looking: Awaitable[Looked]) -> bool:
    return (await looking).lease is not None


async def test_a_lease_that_nobody_waits_for_is_given_back(redis: RedisServer) -> None:
    """Who is cancelled while Redis decides holds nothing afterwards."""
    async with pair(redis, "cancel") as (one, two):
        looking = asyncio.ensure_future(one.answers.look(KEY, flight()))
        await asyncio.sleep(0.0)
        looking.cancel()
        await asyncio.wait([looking])
        await until(lambda: _granted(two.answers.look(KEY, flight())))


async def _granted(looked: object) -> bool:
    found: Looked = await looked  # type: ignore[misc]
    return found.lease is not None


async def test_an_answer_of_another_version_is_none(redis: RedisServer) -> None:
    """What cannot be understood is asked for anew, and replaced."""
    async with replica(redis, "version") as one:
        one.store.put(KEY, b"0garbage", 60_000, b"").add_done_callback(lambda _: None)
        one.store.put(OTHER, b"1garbage", 60_000, b"").add_done_callback(lambda _: None)
        looked = [await one.answers.look(key, flight()) for key in (KEY, OTHER)]
        found = await one.answers.get(KEY)

    assert [each.stored for each in looked] == [None, None]
    assert all(each.lease is not None for each in looked)
    assert found is None


# --- operators ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("selection", "gone"),
    [
        (Selection(), {KEY, OTHER}),
        (Selection(key=OTHER), {OTHER}),
        (Selection(key="nothing"), set()),
        (Selection(prefix="chat:slow:"), {OTHER}),
        (Selection(model="acme/small"), {KEY, OTHER}),
        (Selection(expired=True), {OTHER}),
    ],
    ids=("all", "key", "no key", "prefix", "model", "expired"),
)
async def test_what_is_forgotten_is_gone_everywhere(redis: RedisServer, selection: Selection, gone: set[str]) -> None:
    """Answers go from Redis at once, and copies from every process with the next beat."""
    stored = {KEY: kept(), OTHER: kept(age_s=70.0)}
    async with pair(redis, f"forget{hash(selection)}") as (one, two):
        for key, each in stored.items():
            one.answers.put(key, each)
            one.shelf.put(key, each)
            two.shelf.put(key, each)
        await until(lambda: two.answers.get(OTHER))

        count = await one.answers.remove(selection)
        left = {key for key in stored if await two.answers.get(key) is not None}
        await until(lambda: {key for key in stored if two.shelf.get(key) is not None} == left)

    assert count == len(gone)
    assert left == stored.keys() - gone
    assert {key for key in stored if one.shelf.get(key) is not None} == left


async def test_many_answers_are_forgotten_in_parts(redis: RedisServer) -> None:
    """However many there are, all go, and no single command takes long."""
    keys = [f"chat:fast:open:{n:062x}ab" for n in range(1200)]
    async with replica(redis, "many") as one:
        for key in keys:
            one.answers.put(key, kept())
        await until(lambda: one.answers.get(keys[-1]))
        count = await one.answers.remove(Selection())
        view = await one.answers.view()

    assert count == len(keys)
    assert view is not None
    assert (view.entries, view.bytes) == (0, 0)


async def test_an_operator_sees_what_all_have(redis: RedisServer) -> None:
    """Entries and bytes are those in Redis, counts those of all replicas together."""
    async with pair(redis, "view") as (one, two):
        one.answers.put(KEY, kept())
        two.answers.put(OTHER, kept())
        one.tally.hits, two.tally.hits, two.tally.misses = 3, 4, 5
        await until(lambda: _counts(one.answers.view()))
        view = await one.answers.view()

    assert view is not None
    assert (view.entries, view.bytes, view.partial) == (2, 2 * kept().size_bytes, False)
    assert view.tally == Tally(hits=7, misses=5)


async def _counts(view: object) -> bool:
    found = await view  # type: ignore[misc]
    return found is not None and found.tally.hits == 7 and found.entries == 2


async def test_only_so_many_answers_are_looked_at(redis: RedisServer) -> None:
    """Where there are more, their bytes are not all added up, and that is said."""
    async with replica(redis, "partial", counted_max=1) as one:
        for key in (KEY, OTHER):
            one.answers.put(key, kept())
        await until(lambda: one.answers.get(OTHER))
        view = await one.answers.view()

    assert view is not None
    assert (view.entries, view.bytes, view.partial) == (2, kept().size_bytes, True)


async def test_a_replica_that_missed_too_much_forgets_its_copies(redis: RedisServer) -> None:
    """If it cannot know what all it should have forgotten, it forgets everything, also if Redis is another one now."""
    async with replica(redis, "missed") as one:
        await until(lambda: one.answers._purges is not None)  # noqa: SLF001 - it has to know where it begins
        one.shelf.put(KEY, kept())
        redis.do("INCRBY", "{missed:cache}:purges", PURGES_KEPT + 1)
        await until(lambda: one.shelf.get(KEY) is None)
        one.shelf.put(KEY, kept())
        redis.do("DEL", "{missed:cache}:purges")
        await until(lambda: one.shelf.get(KEY) is None)


# --- without Redis -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fail", ["local", "open", "closed"])
async def test_without_redis_nothing_is_found_and_nobody_waits(fragile: RedisServer, fail: Fail) -> None:
    """While it is frozen, a look ends within its time, and then the policy says what to do; it comes back by itself."""
    async with replica(fragile, "frozen", link=QUICK, fail=fail) as one:
        there = one.answers.without
        one.answers.put(KEY, kept())
        await until(lambda: one.answers.get(KEY))
        fragile.freeze()
        async with asyncio.timeout(HANGS_S):
            looked = await one.answers.look(KEY, flight())
            found = await one.answers.get(KEY)
        await until(lambda: one.answers.without == fail)
        one.answers.put(OTHER, kept())
        view = await one.answers.view()
        with pytest.raises(GatewayError) as caught:
            await one.answers.remove(Selection())
        fragile.thaw()
        await until(lambda: one.answers.without is None)
        again = await one.answers.get(KEY)

    assert (there, looked, found, view) == (None, Looked(), None, None)
    assert caught.value.kind is STATE_UNAVAILABLE
    assert again is not None
    assert again.origin == ORIGIN


async def test_an_operator_can_wait(redis: RedisServer) -> None:
    """Where Redis is too slow for calls, and so the link is down, answers are seen and removed all the same."""
    async with replica(redis, "patient") as one, replica(redis, "patient", "two") as two:
        one.answers.put(KEY, kept())
        await until(lambda: one.answers.get(KEY))

        two.link.up = False
        view = await two.answers.view()
        two.link.up = False
        removed = await two.answers.remove(Selection())

        assert (removed, await one.answers.get(KEY)) == (1, None)
    assert view is not None
    assert view.entries == 1
