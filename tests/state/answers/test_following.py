"""An upstream call that one replica makes and another one follows, on a real Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

import msgspec
import pytest

from app.core.caching.broadcast import Broadcast
from app.core.caching.ports import LeaderGoneError, Lease, Remote, RemoteStream
from app.core.caching.single_flight import Flight
from app.core.caching.stored import Stored
from app.core.errors import STREAM_BROKEN, TARGET_RATE_LIMITED, GatewayError
from app.core.model import StreamEvent
from app.state.answers.entries import Frames, Head, written
from app.state.answers.leases import Rhythm
from app.state.link.redis import LinkOptions
from tests.core.answers.making import DONE, framed
from tests.state.answers.rig import KEY, LINK, ORIGIN, Replica, Tap, broadcast, flight, kept, pair, replica
from tests.state.sharing import until
from tests.support.calls import text_in, word
from tests.support.redis_server import RedisServer

FINISH = framed({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})


class Meeting:
    """One call: the replica that makes it with its lease, the one that follows, and the flight of the first."""

    def __init__(self, one: Replica, two: Replica, lease: Lease, remote: Remote, aboard: Flight) -> None:
        self.one = one
        self.two = two
        self.lease = lease
        self.remote = remote
        self.flight = aboard
        self.tap = Tap()

    def begin(self, answer_max_bytes: int = 100_000) -> Broadcast:
        """Let a stream begin at the first replica."""
        cast = broadcast(answer_max_bytes)
        self.flight.land(cast)
        self.lease.streams(cast)
        self.one.flights.finish(self._relay(cast))
        return cast

    async def followed(self) -> None:
        """Wait until the first replica knows that somebody follows."""
        await until(lambda: self.flight._passengers > 1)  # noqa: SLF001 - nobody else has to know

    async def _relay(self, cast: Broadcast) -> None:
        try:
            await cast.relay(self.tap)
        except GatewayError as error:
            cast.close(error)
            self.lease.failed(error, ORIGIN)
        else:
            cast.close(None)
            self.lease.done(None)


@asynccontextmanager
async def meeting(
    server: RedisServer,
    prefix: str,
    link: LinkOptions = LINK,
    rhythm: Rhythm = Rhythm(),  # noqa: B008
) -> AsyncIterator[Meeting]:
    """Let two replicas look at the same key."""
    async with pair(server, prefix, link, rhythm=rhythm) as (one, two):
        aboard = flight()
        first = await one.answers.look(KEY, aboard)
        second = await two.answers.look(KEY, flight())
        assert first.lease is not None
        assert second.remote is not None
        yield Meeting(one, two, first.lease, second.remote, aboard)


async def stream_of(remote: Remote) -> RemoteStream:
    """Wait for a stream."""
    landing = await remote.landing()
    assert isinstance(landing, RemoteStream)
    return landing


async def heard(stream: RemoteStream) -> list[StreamEvent]:
    """Read a stream to its end."""
    return [event async for batch in stream.batches for event in batch]


async def test_a_whole_answer_is_told(redis: RedisServer) -> None:
    """Who follows gets it, also if it is not to be stored."""
    async with meeting(redis, "whole") as call:
        following_it = asyncio.ensure_future(call.remote.landing())
        await call.followed()
        call.lease.done(kept("word " * 2000))
        found = await following_it
        next_one = await call.two.answers.look(KEY, flight())

    assert found == msgspec.structs.replace(kept("word " * 2000), born_s=found.born_s)  # type: ignore[union-attr]
    assert next_one.lease is not None


async def test_who_asks_too_late_finds_what_was_stored(redis: RedisServer) -> None:
    """An answer that was complete before anybody asked is read from the store."""
    async with meeting(redis, "late") as call:
        stored = kept()
        call.one.answers.put(KEY, stored)
        call.lease.done(stored)
        found = await call.remote.landing()

    assert found == stored


async def test_a_stream_is_told_while_it_comes(redis: RedisServer) -> None:
    """Who follows gets what has come, then the rest event by event, and knows who answers."""
    async with meeting(redis, "stream") as call:
        call.begin()
        call.tap.put([word("one ")])
        await asyncio.sleep(0.1)
        stream = await stream_of(call.remote)
        reading = asyncio.ensure_future(heard(stream))
        call.tap.put([word("two "), word("three")])
        await asyncio.sleep(0.1)
        call.tap.put([FINISH, DONE])
        call.tap.put(None)
        events = await reading
        next_one = await call.two.answers.look(KEY, flight())

    assert stream.origin == ORIGIN
    assert text_in(events) == "one two three"
    assert [event.frame for event in events[-4:]] == [word("two ").frame, word("three").frame, FINISH.frame, DONE.frame]
    assert events[-1].done
    assert next_one.lease is not None


async def test_a_stream_that_begins_later_is_told_too(redis: RedisServer) -> None:
    """Who asks while the first token is still to come gets all of it."""
    async with meeting(redis, "early") as call:
        waiting = asyncio.ensure_future(stream_of(call.remote))
        await call.followed()
        call.begin()
        for batch in ([word("a")], [FINISH, DONE], None):
            call.tap.put(batch)
        events = await heard(await waiting)

    assert text_in(events) == "a"


async def _all_of(waiting: Awaitable[Stored | RemoteStream]) -> None:
    landing = await waiting
    assert isinstance(landing, RemoteStream)
    await heard(landing)


@pytest.mark.parametrize("begun", [False, True])
async def test_a_failure_is_told(redis: RedisServer, begun: bool) -> None:
    """Who follows gets the same error, before or in the middle of an answer."""
    error = GatewayError(TARGET_RATE_LIMITED, "slowly", retry_after_s=3.0, param="model").answered_by("acme")
    error.upstream_status, error.retries_spent = 429, True
    async with meeting(redis, f"fail{begun}") as call:
        waiting = asyncio.ensure_future(call.remote.landing())
        await call.followed()
        if begun:
            call.begin()
            call.tap.put([word("a")])
            call.tap.put(error)
        else:
            call.lease.failed(error, ORIGIN)
        with pytest.raises(GatewayError) as caught:
            await _all_of(waiting)

    assert vars(caught.value) == vars(error)
    assert call.remote.origin == (None if begun else ORIGIN)  # that of a stream was told at its head


async def test_a_call_that_was_given_up_is_left_to_others(redis: RedisServer) -> None:
    """Who follows learns that there is nothing to come."""
    async with meeting(redis, "drop") as call:
        waiting = asyncio.ensure_future(call.remote.landing())
        await call.followed()
        call.lease.drop()
        with pytest.raises(LeaderGoneError):
            await waiting


async def test_a_stream_that_cannot_be_joined_is_not_waited_for(redis: RedisServer) -> None:
    """Who asks when the answer has grown too large makes a call of its own at once."""
    async with meeting(redis, "large") as call:
        cast = call.begin(answer_max_bytes=10)
        call.tap.put([word("x" * 100_000)])
        await until(lambda: not cast.joinable)
        with pytest.raises(LeaderGoneError):
            await call.remote.landing()


async def test_the_call_goes_on_for_who_follows(redis: RedisServer) -> None:
    """The first replica's own callers may leave; the call ends when nobody follows any more."""
    async with meeting(redis, "goes on", rhythm=Rhythm(lease_s=2.0, renewed_s=0.1, letters_s=0.1)) as call:
        task = asyncio.ensure_future(asyncio.sleep(60))
        call.flight.start(task, call.one.flights)
        cast = call.begin()
        call.tap.put([word("a")])
        stream = await stream_of(call.remote)
        closing = call.flight.leave()
        reading = asyncio.ensure_future(heard(stream))
        await asyncio.sleep(2.5)
        going_on = not task.done()
        reading.cancel()
        await asyncio.wait([reading])
        await until(task.done)

    assert closing is None
    assert going_on
    assert task.cancelled()
    assert not cast.closed


@pytest.mark.parametrize("begun", [False, True])
async def test_a_replica_that_dies_is_noticed(redis: RedisServer, begun: bool) -> None:
    """Before anything came its place may be taken; in the middle of an answer that is broken."""
    prefix = f"dies{begun}"
    async with replica(redis, prefix, "two") as two:
        two.store.look(KEY, "one.1", 2000, stored_will_do=True).add_done_callback(lambda _: None)
        second = await two.answers.look(KEY, flight())
        assert second.remote is not None
        if begun:
            entries = [
                written(1, Head(ORIGIN)),
                written(2, Frames((word("a").frame,))),
                written(2, Frames((b"twice",))),
            ]
            two.store.tell(KEY, "one.1", entries).add_done_callback(lambda _: None)
            stream = await stream_of(second.remote)
            assert text_in(list(await anext(stream.batches))) == "a"
            with pytest.raises(GatewayError) as caught:
                await anext(stream.batches)
            assert caught.value.kind is STREAM_BROKEN
        else:
            with pytest.raises(LeaderGoneError):
                await second.remote.landing()


async def test_what_another_version_says_is_not_understood(redis: RedisServer) -> None:
    """A replica that speaks otherwise is as good as none."""
    async with replica(redis, "version of tail", "two") as two:
        two.store.look(KEY, "one.1", 3000, stored_will_do=True).add_done_callback(lambda _: None)
        second = await two.answers.look(KEY, flight())
        two.store.tell(KEY, "one.1", [b"?"]).add_done_callback(lambda _: None)
        assert second.remote is not None
        with pytest.raises(LeaderGoneError):
            await second.remote.landing()


async def test_a_redis_that_stumbles_breaks_no_stream(fragile: RedisServer) -> None:
    """Who tells and who follows both wait a while for it, and then go on where they were."""
    async with meeting(fragile, "p", msgspec.structs.replace(LINK, timeout_s=0.5)) as call:
        call.begin()
        call.tap.put([word("a")])
        reading = asyncio.ensure_future(heard(await stream_of(call.remote)))
        fragile.freeze()
        call.tap.put([word("b")])
        await until(lambda: not call.one.link.up and not call.two.link.up)
        fragile.thaw()
        for batch in ([word("c"), FINISH, DONE], None):
            call.tap.put(batch)
        events = await reading

    assert text_in(events) == "abc"


async def test_a_redis_that_stays_away_ends_what_depends_on_it(fragile: RedisServer) -> None:
    """Who follows gives up after a while, and at once where nothing has come; who tells gives up, too."""
    link, rhythm = msgspec.structs.replace(LINK, timeout_s=0.5), Rhythm(patience_s=1.0)
    async with meeting(fragile, "p", link, rhythm) as call:
        call.begin()
        call.tap.put([word("a")])
        stream = await stream_of(call.remote)
        first = text_in(list(await anext(stream.batches)))
        other = (await call.two.answers.look(KEY, flight())).remote
        assert other is not None
        fragile.freeze()
        call.tap.put([word("b")])
        with pytest.raises(GatewayError) as caught:
            await anext(stream.batches)
        with pytest.raises(LeaderGoneError):
            await other.landing()
        call.tap.put(None)
        await asyncio.sleep(1.5)
        fragile.thaw()

    assert first == "a"
    assert caught.value.kind is STREAM_BROKEN
