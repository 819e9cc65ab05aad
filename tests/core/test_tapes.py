"""What is kept of streams, for whom, and for how long."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.errors import GatewayError
from app.core.tapes import Tape, TapeBounds, Taped, TapeEnd, Tapes
from tests.support.virtual_time import VirtualClock

BOUNDS = TapeBounds(window_s=60.0, streams_max=2, stream_max_bytes=1000, total_max_bytes=1500)


def said(number: int) -> bytes:
    """Return an event."""
    return b"data: %d\n\n" % number


def told(number: int) -> bytes:
    """Return an event as it is replayed."""
    return b"id: %d\ndata: %d\n\n" % (number, number)


def failure(error: GatewayError) -> bytes:
    """Tell a failure."""
    return error.kind.code.encode()


class Bench:
    """The tapes of one process, whose ids are numbers."""

    def __init__(self, bounds: TapeBounds = BOUNDS) -> None:
        self.clock = VirtualClock()
        self._bounds = bounds
        self._count = 0
        self.tapes = Tapes(self.clock, self._new_id)

    def _new_id(self) -> str:
        self._count += 1
        return str(self._count)

    def open(self, tenant: str = "one") -> Tape | None:
        """Return a new tape, if there is room."""
        return self.tapes.open(Taped(tenant, "req_1", failure), self._bounds)

    def opened(self) -> Tape:
        """Return a new tape."""
        tape = self.open()
        assert tape is not None
        return tape


async def read(tape: Tape, after: int = 0) -> bytes:
    """Return all of a tape after some events, once it has ended."""
    return b"".join([data async for data in tape.replay(after)])


@given(
    sizes=st.lists(st.integers(1, 4), max_size=6),
    before=st.integers(0, 6),
    after=st.integers(0, 24),
    ending=st.sampled_from([TapeEnd.COMPLETE, TapeEnd.BROKEN]),
)
async def test_everybody_gets_everything(sizes: list[int], before: int, after: int, ending: TapeEnd) -> None:
    """However events come in parts, and whenever a reader comes: what it has not seen, once, in order, to the end."""
    tape, number = Bench().opened(), 0
    reading = None
    for index, size in enumerate(sizes):
        if index == before:
            reading = asyncio.create_task(read(tape, after))
        tape.add(b"".join(said(number + each) for each in range(1, size + 1)))
        number += size
        await asyncio.sleep(0)
    reading = reading or asyncio.create_task(read(tape, after))
    await asyncio.sleep(0)
    tape.end(ending)

    assert b"".join(told(each) for each in range(after + 1, number + 1)) == await reading
    assert (number, ending) == (tape.events, tape.ending)


async def test_the_first_end_counts() -> None:
    """And nothing is added after it."""
    tape = Bench().opened()
    tape.add(said(1))

    tape.end(TapeEnd.COMPLETE)
    tape.end(TapeEnd.BROKEN)
    tape.add(said(2))

    assert (TapeEnd.COMPLETE, told(1)) == (tape.ending, await read(tape))


async def test_nothing_is_no_event() -> None:
    """Some batches mean nothing in a dialect."""
    tape = Bench().opened()

    tape.add(b"")

    assert 0 == tape.events


async def test_tapes_are_their_tenants() -> None:
    """For anyone else there is none, and nobody else has copies of them."""
    bench = Bench()
    tape = bench.opened()
    await bench.tapes.aclose()

    assert tape is await bench.tapes.find("1", "one")
    assert await bench.tapes.find("1", "other") is None
    assert await bench.tapes.find("2", "one") is None


async def test_a_tape_outlives_its_stream_for_the_window() -> None:
    """And is forgotten then; one whose stream is under way is not."""
    bench = Bench()
    ended, live = bench.opened(), bench.opened()
    ended.end(TapeEnd.COMPLETE)

    await bench.clock.sleep(59.0)
    kept = await bench.tapes.find(ended.id, "one")
    await bench.clock.sleep(1.0)

    assert kept is ended
    assert await bench.tapes.find(ended.id, "one") is None
    assert await bench.tapes.find(live.id, "one") is live


async def test_ended_ones_make_room() -> None:
    """Live ones do not: the new stream cannot be resumed."""
    bench = Bench()
    first, second = bench.opened(), bench.opened()
    refused = bench.open()
    second.end(TapeEnd.BROKEN)
    third = bench.open()

    assert refused is None
    assert third is not None
    assert await bench.tapes.find(first.id, "one") is first
    assert await bench.tapes.find(second.id, "one") is None


async def test_all_of_them_share_the_room() -> None:
    """A stream that grows lets one go that has ended; if that does not do, it is lost itself."""
    bench = Bench()
    ended, growing = bench.opened(), bench.opened()
    ended.add(b"x" * 900)
    ended.end(TapeEnd.COMPLETE)
    growing.add(b"y" * 900)
    other = bench.opened()
    other.add(b"z" * 300)
    lasted = growing.ending
    other.add(b"z" * 200)

    assert await bench.tapes.find(ended.id, "one") is None
    assert (None, None, TapeEnd.LOST) == (lasted, growing.ending, other.ending)
    assert await bench.tapes.find(other.id, "one") is None


async def test_a_bound_may_be_reached() -> None:
    """That of one stream, and that of all: only what is beyond them is lost."""
    needed = Bench().opened()
    needed.add(b"x" * 100)
    size = needed.size
    fitting = Bench(TapeBounds(60.0, streams_max=9, stream_max_bytes=size, total_max_bytes=2 * size))
    ended, growing = fitting.opened(), fitting.opened()
    ended.add(b"x" * 100)
    ended.end(TapeEnd.COMPLETE)
    growing.add(b"x" * 100)
    kept, endings = await fitting.tapes.find(ended.id, "one"), (ended.ending, growing.ending)

    growing.add(b"y")

    assert (kept, endings) == (ended, (TapeEnd.COMPLETE, None))
    assert growing.ending is TapeEnd.LOST


class Watcher:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def joined(self) -> None:
        """Write it down."""
        self.told.append("joined")

    def deserted(self) -> None:
        """Write it down."""
        self.told.append("deserted")

    def lost(self) -> None:
        """Write it down."""
        self.told.append("lost")


async def test_a_lost_tape_ends_for_its_readers() -> None:
    """With what they have got so far, and whoever watches is told; nothing of it stays."""
    tape, watcher = Bench().opened(), Watcher()
    tape.watcher = watcher
    tape.add(said(1))
    reading = asyncio.create_task(read(tape))
    await asyncio.sleep(0)

    tape.add(b"x" * 1001)

    assert told(1) == await reading
    assert (TapeEnd.LOST, ["joined", "lost"]) == (tape.ending, watcher.told)
    assert b"" == await read(tape)


@pytest.mark.parametrize("ended", [False, True])
async def test_who_watches_knows_if_anybody_reads(ended: bool) -> None:
    """The last of several that leaves counts, unless there is nothing to come any more."""
    tape, watcher = Bench().opened(), Watcher()
    tape.watcher = watcher
    tape.add(said(1))
    async with aclosing(tape.replay(0)) as one, aclosing(tape.replay(0)) as other:
        await anext(one)
        await anext(other)
        await one.aclose()
        if ended:
            tape.end(TapeEnd.COMPLETE)

    assert ["joined", "joined", *([] if ended else ["deserted"])] == watcher.told


async def test_a_reader_that_is_cancelled_waits_no_more() -> None:
    """And what comes afterwards is for the others."""
    tape = Bench().opened()
    waiting, other = asyncio.create_task(read(tape)), asyncio.create_task(read(tape))
    await asyncio.sleep(0)

    waiting.cancel()
    tape.add(said(1))
    tape.end(TapeEnd.COMPLETE)

    assert told(1) == await other
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_ids_cannot_be_guessed() -> None:
    """128 bits of chance, if nobody says otherwise."""
    tapes = Tapes(VirtualClock())
    ids = {tape.id for _ in range(2) if (tape := tapes.open(Taped("one", "r", failure), BOUNDS)) is not None}

    assert 2 == len(ids)
    assert {36} == {len(each) for each in ids}
