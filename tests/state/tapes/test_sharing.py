"""Streams that are resumed at another replica than the one that reads their provider, through a real Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

import pytest
from redis import Redis

from app.core.caching.single_flight import Flights
from app.core.clock import SystemClock
from app.core.errors import STATE_UNAVAILABLE, STREAM_BROKEN, GatewayError
from app.core.tapes import Readable, Tape, TapeBounds, Taped, TapeEnd, Tapes
from app.state.answers.leases import Means, Rhythm
from app.state.answers.redis import RedisAnswers
from app.state.link.redis import LinkOptions, RedisLink
from app.state.tapes.entries import Begun, key_of, sealed
from app.state.tapes.sealing import StreamSeal
from app.state.tapes.sharing import SharedTapes
from tests.state.sharing import until
from tests.support.redis_server import RedisServer, redis_server

LINK = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.02)
BOUNDS = TapeBounds(window_s=60.0, streams_max=9, stream_max_bytes=10_000, total_max_bytes=90_000)
BRISK = Rhythm(lease_s=1.0, renewed_s=0.1, letters_s=0.1, looked_s=0.01, heard_s=0.01, patience_s=1.0)
PATIENT = Rhythm(lease_s=20.0, renewed_s=0.1, letters_s=0.1, looked_s=0.01, heard_s=0.01, patience_s=20.0)

_prefixes = (f"tapes-{n}" for n in itertools.count())


class Watcher:
    """Whoever has to know if somebody reads."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    def joined(self) -> None:
        """Take note."""
        self.heard.append("joined")

    def deserted(self) -> None:
        """Take note."""
        self.heard.append("deserted")

    def lost(self) -> None:
        """Take note."""
        self.heard.append("lost")


class Replica:
    """The tapes of one gateway."""

    def __init__(self, server: RedisServer, prefix: str, name: str, rhythm: Rhythm) -> None:
        clock = SystemClock()
        self.link = RedisLink(server.url, LINK, lambda: 0.0, lambda _signal: None)
        self.flights = Flights()
        self.store = RedisAnswers(self.link.submit, prefix)
        means = Means(self.store, self.link, self.flights, clock, rhythm)
        self.copies = SharedTapes(name, means, StreamSeal)
        self.tapes = Tapes(clock, copies=self.copies)

    def begin(self, bounds: TapeBounds = BOUNDS) -> Tape:
        """Begin a stream."""
        tape = self.tapes.open(Taped("one", "req_1", failure), bounds)
        assert tape is not None
        return tape

    async def found(self, tape: Tape) -> Readable:
        """Find a stream once it is there."""
        there: list[Readable] = []

        async def look() -> bool:
            there.extend(filter(None, [await self.tapes.find(tape.id, "one")]))
            return bool(there)

        await until(look)
        return there[-1]


@asynccontextmanager
async def replicas(
    server: RedisServer, count: int = 2, rhythm: Rhythm = PATIENT, prefix: str = ""
) -> AsyncIterator[list[Replica]]:
    """Run some replicas; without a prefix with keys that nobody else has."""
    prefix = prefix or next(_prefixes)
    async with AsyncExitStack() as opened:
        made = [Replica(server, prefix, f"replica{n}", rhythm) for n in range(count)]
        for each in made:
            await opened.enter_async_context(each.link)
            opened.push_async_callback(each.flights.aclose)
        yield made


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a server for tests that treat it well."""
    with redis_server() as server:
        yield server


def failure(error: GatewayError) -> bytes:
    """Tell a failure."""
    return b"data: %b\n\n" % error.kind.code.encode()


def said(*numbers: int) -> bytes:
    """Return events."""
    return b"".join(b"data: %d\n\n" % number for number in numbers)


def told(*numbers: int) -> bytes:
    """Return events as they are replayed."""
    return b"".join(b"id: %d\ndata: %d\n\n" % (number, number) for number in numbers)


async def read(tape: Readable, after: int = 0) -> bytes:
    """Read to the end."""
    return b"".join([data async for data in tape.replay(after)])


@pytest.mark.parametrize("ending", [TapeEnd.COMPLETE, TapeEnd.BROKEN])
async def test_a_stream_that_has_ended(redis: RedisServer, ending: TapeEnd) -> None:
    """All of it is there, or all after a number, and so is how it ended."""
    async with replicas(redis) as (one, two):
        tape = one.begin()
        tape.add(said(1, 2))
        tape.add(said(3))
        tape.end(ending)
        await one.tapes.aclose()

        found = [await two.found(tape) for _ in range(2)]
        texts = [await read(found[0]), await read(found[1], after=2)]

        assert [told(1, 2, 3), told(3)] == texts
        assert {(3, ending, "req_1")} == {(each.events, each.ending, each.taped.request_id) for each in found}


async def test_a_stream_that_is_under_way(redis: RedisServer) -> None:
    """What has come and what is yet to come; the writer knows that somebody reads, and when nobody does any more."""
    async with replicas(redis, rhythm=BRISK) as (one, two):
        tape, watcher = one.begin(), Watcher()
        tape.watcher = watcher
        tape.add(said(1, 2))
        found = await two.found(tape)
        await until(lambda: two.tapes.find(tape.id, "one"))

        async with aclosing(found.replay(1)) as events:
            texts = [await anext(events)]
            await until(lambda: watcher.heard == ["joined"])
            tape.add(said(3))
            texts.append(await anext(events))
        await until(lambda: watcher.heard == ["joined", "deserted"])

        assert [told(2), told(3)] == texts
        assert None is found.ending


async def test_a_reader_may_be_ahead_of_redis(redis: RedisServer) -> None:
    """What it has was not yet written when it came back: it is waited for, but not for events that are none."""
    async with replicas(redis, rhythm=Rhythm(patience_s=3.0)) as (one, two):
        tape = one.begin()
        await two.found(tape)
        tape.add(said(1, 2))

        ahead = await two.tapes.find(tape.id, "one", 2)
        too_far = await two.tapes.find(tape.id, "one", 3)

        assert [2, 2] == [each.events for each in (ahead, too_far) if each is not None]


async def test_a_reader_may_be_there_first(redis: RedisServer) -> None:
    """What its process told Redis of a stream was still on its way: it is waited for."""
    async with replicas(redis, rhythm=Rhythm(letters_s=20.0, heard_s=0.01)) as (one, two):
        tape_id = "stm_" + "1" * 32
        looking = asyncio.create_task(two.tapes.find(tape_id, "one"))
        await asyncio.sleep(0.03)

        seal = StreamSeal(tape_id)
        begun = sealed(seal, 1, Begun("one", "req_1", "replica0", b""))
        await one.store.tell(key_of(seal), key_of(seal), (begun,))

        found = await looking
        assert found is not None
        assert "req_1" == found.taped.request_id


async def test_streams_are_their_tenants(redis: RedisServer) -> None:
    """For anyone else there is none; nor is there one for an id that was made up."""
    async with replicas(redis) as (one, two):
        tape = one.begin()
        await two.found(tape)

        assert None is await two.tapes.find(tape.id, "other")
        assert None is await two.tapes.find("stm_" + "0" * 32, "one")
        assert None is await two.tapes.find("stm_\udc80", "one")


async def test_redis_knows_nothing_of_it(redis: RedisServer) -> None:
    """Neither what was said, nor whose it is, nor its id."""
    async with replicas(redis) as (one, two):
        tape = one.begin()
        tape.add(b"data: secret words\n\n")
        tape.end(TapeEnd.COMPLETE)
        await one.tapes.aclose()
        assert b"id: 1\ndata: secret words\n\n" == await read(await two.found(tape))

        keys = redis.do("KEYS", "*:tail:stream:*")
        with Redis(port=redis.port) as client:
            kept = [entry for key in keys for entry in client.lrange(key, 0, -1)]

        assert kept
        assert not [key for key in keys if tape.id[4:] in key]
        assert not [entry for entry in kept for word in (b"secret", b"req_1", b"one", b"data") if word in entry]


async def test_what_is_kept_has_an_end(redis: RedisServer) -> None:
    """The window, and the lease of a writer that might still live."""
    async with replicas(redis) as (one, two):
        tape = one.begin()
        tape.end(TapeEnd.COMPLETE)
        await one.tapes.aclose()
        await two.found(tape)

        left_ms = [redis.do("PTTL", key) for key in redis.do("KEYS", "*:tail:stream:*")]

        assert all(0 < each <= 80_000 for each in left_ms)


async def test_a_writer_that_dies(redis: RedisServer) -> None:
    """What it said is there; then there is a failure, in the words of its dialect."""
    prefix = next(_prefixes)
    async with replicas(redis, 1, BRISK, prefix) as (reader,), AsyncExitStack() as life:
        (writer,) = await life.enter_async_context(replicas(redis, 1, BRISK, prefix))
        tape = writer.begin()
        tape.add(said(1))
        await writer.tapes.aclose()
        found = await reader.found(tape)
        reading = asyncio.create_task(read(found))
        await life.aclose()

        text = await reading

        assert (told(1), TapeEnd.LOST) == (text, found.ending)
        assert b"data: stream_broken\n\n" == found.taped.failure(GatewayError(STREAM_BROKEN, "other words"))


async def test_a_tape_that_grows_too_large(redis: RedisServer) -> None:
    """Whoever reads it is cut off, and nobody finds it any more."""
    async with replicas(redis, rhythm=BRISK) as (one, two):
        tape = one.begin()
        tape.add(said(1))
        found = await two.found(tape)
        reading = asyncio.create_task(read(found))
        tape.add(b"data: %b\n\n" % (b"x" * 10_000))

        await reading

        assert TapeEnd.LOST is found.ending
        assert None is await two.tapes.find(tape.id, "one")


async def test_redis_may_be_gone_for_a_while() -> None:
    """Nothing is lost: the tape is complete where it is written, and copied on when Redis is back."""
    with redis_server() as server:
        async with replicas(server) as (one, two):
            tape = one.begin()
            tape.add(said(1))
            found = await two.found(tape)
            reading = asyncio.create_task(read(found))
            server.freeze()
            await until(lambda: not one.link.up and not two.link.up)
            tape.add(said(2))
            with pytest.raises(GatewayError) as refused:
                await two.tapes.find(tape.id, "one")
            server.thaw()
            tape.end(TapeEnd.COMPLETE)

            assert told(1, 2) == await reading
            assert STATE_UNAVAILABLE is refused.value.kind


async def test_redis_may_forget_everything() -> None:
    """Then there is no beginning any more, and whoever reads is cut off rather than told half of it."""
    with redis_server() as server:
        async with replicas(server, rhythm=BRISK) as (one, two):
            tape = one.begin()
            tape.add(said(1))
            await one.tapes.aclose()
            reader = await two.found(tape)
            while reader.events == 0:
                reader = await two.found(tape)
            server.do("FLUSHALL")
            tape.add(said(2))
            tape.end(TapeEnd.COMPLETE)
            await one.tapes.aclose()

            assert told(1) == await read(reader)
            assert TapeEnd.LOST is reader.ending
            assert None is await two.tapes.find(tape.id, "one")


async def test_redis_may_never_come_back() -> None:
    """Whoever reads waits for a while; whoever writes forgets the copy with the tape."""
    with redis_server() as server:
        async with replicas(server, rhythm=BRISK) as (one, two):
            tape = one.begin(TapeBounds(0.0, 9, 10_000, 90_000))
            tape.add(said(1))
            found = await two.found(tape)
            reading = asyncio.create_task(read(found))
            server.kill()
            tape.end(TapeEnd.COMPLETE)

            await reading

            assert TapeEnd.LOST is found.ending
            await until(lambda: one.copies.writing == 0)


@pytest.mark.parametrize("foreign", [b"x", b"x" * 40])
async def test_what_is_not_ours_is_nothing(redis: RedisServer, foreign: bytes) -> None:
    """Another version of the gateway may seal in another way."""
    async with replicas(redis, 1) as (reader,):
        seal, tape_id = StreamSeal("stm_1"), "stm_1"
        await reader.link.ask(reader.store.tell(key_of(seal), key_of(seal), (foreign,)))

        assert None is await reader.tapes.find(tape_id, "one")


async def test_what_is_sealed_and_means_nothing(redis: RedisServer) -> None:
    """Nor does what can be opened and not understood."""
    async with replicas(redis, 1) as (reader,):
        seal = StreamSeal("stm_2")
        await reader.link.ask(reader.store.tell(key_of(seal), key_of(seal), (seal.closed(b"\xc1"),)))

        assert None is await reader.tapes.find("stm_2", "one")
