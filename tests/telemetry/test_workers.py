"""How workers find each other and ask each other, over real sockets."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from app.core.clock import SystemClock
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.families import CounterFamily
from app.telemetry.metrics.gathering import METRICS, Together
from app.telemetry.workers.answering import Answering
from app.telemetry.workers.asking import Missing, ask_all, frames
from app.telemetry.workers.directory import Place, place_in, workers_directory
from app.telemetry.workers.wire import FRAME_MAX_BYTES, Question, framed
from tests.telemetry.examples import ENDED


@pytest.fixture
def directory() -> Iterator[Path]:
    """Make a directory for workers."""
    with workers_directory() as made:
        yield made


async def echo(about: bytes) -> AsyncGenerator[bytes, None]:
    """Answer with what was asked."""
    yield about


async def hang(_about: bytes) -> AsyncGenerator[bytes, None]:
    """Never answer."""
    await asyncio.get_running_loop().create_future()
    yield b""


async def count(_about: bytes) -> AsyncGenerator[bytes, None]:
    """Answer three times."""
    for number in range(3):
        yield b"%d" % number


def dead(place: Place) -> None:
    """Leave the socket of a worker that died."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place.socket))


async def test_all_others_are_asked(directory: Path) -> None:
    """Whoever listens answers; oneself is not asked; what is wrong with the others is told."""
    me, friend, busy, gone = (place_in(directory) for _ in range(4))
    dead(gone)

    async with Answering(me, {"t": echo}), Answering(friend, {"t": echo}), Answering(busy, {"t": hang}):
        heard = await ask_all(me, "t", b"hello", limit_s=2.0)

    assert heard.answers == {friend.name: b"hello"}
    assert heard.missing == {busy.name: Missing.SILENT, gone.name: Missing.GONE}


async def test_a_topic_nobody_knows_has_no_answer(directory: Path) -> None:
    """A worker of another version does not answer, and does not break."""
    me, friend = place_in(directory), place_in(directory)

    async with Answering(friend, {"t": echo}):
        unknown = await ask_all(me, "u")
        known = await ask_all(me, "t", b"x")

    assert unknown.missing == {friend.name: Missing.SILENT}
    assert known.answers == {friend.name: b"x"}


async def test_an_answer_may_be_a_stream(directory: Path) -> None:
    """Frames arrive one by one, until the end."""
    me, friend = place_in(directory), place_in(directory)

    async with Answering(friend, {"t": count}):
        found = [frame async for frame in frames(me, friend.name, Question("t"))]

    assert found == [b"0", b"1", b"2"]


async def test_whoever_hangs_up_ends_the_topic(directory: Path) -> None:
    """A topic with nothing to say does not outlive the one who asked."""
    me, friend = place_in(directory), place_in(directory)
    ended = asyncio.Event()

    async def endless(_about: bytes) -> AsyncGenerator[bytes, None]:
        try:
            yield b"first"
            await asyncio.get_running_loop().create_future()
        finally:
            ended.set()

    async with Answering(friend, {"t": endless}):
        stream = frames(me, friend.name, Question("t"))
        assert await anext(stream) == b"first"
        await stream.aclose()

        async with asyncio.timeout(60):
            await ended.wait()


@pytest.mark.parametrize("sent", [b"", b"\x00\x00\x00\x09abc", framed(b"\xff"), (FRAME_MAX_BYTES + 1).to_bytes(4)])
async def test_nonsense_is_not_answered(directory: Path, sent: bytes) -> None:
    """Whatever arrives, the connection is closed and the next one is served."""
    friend = place_in(directory)

    async with Answering(friend, {"t": echo}):
        reader, writer = await asyncio.open_unix_connection(friend.socket)
        writer.write(sent)
        writer.write_eof()
        async with asyncio.timeout(60):
            answer = await reader.read()
        writer.close()
        heard = await ask_all(place_in(directory), "t", b"still there")

    assert answer == b""
    assert list(heard.answers.values()) == [b"still there"]


async def test_leaving_does_not_wait_for_those_who_listen(directory: Path) -> None:
    """A worker that ends cuts its answers off, and its socket is gone."""
    me, friend = place_in(directory), place_in(directory)
    asked = asyncio.Event()

    async def listen(about: bytes) -> AsyncGenerator[bytes, None]:
        asked.set()
        async for part in hang(about):
            yield part

    async with AsyncExitStack() as opened:
        await opened.enter_async_context(Answering(friend, {"t": listen}))
        asking = asyncio.ensure_future(ask_all(me, "t", limit_s=60))
        await asked.wait()

    assert (await asking).missing == {friend.name: Missing.SILENT}
    assert not friend.socket.exists()


def calls_in(families: object) -> float:
    """Return how many calls were counted."""
    assert isinstance(families, (list, tuple))
    found = next(family for family in families if family.name == "wizard_requests")
    assert isinstance(found, CounterFamily)
    return sum(value for _, value in found.rows)


async def test_totals_never_go_backwards(directory: Path) -> None:
    """Busy, dead, or gone in good order: what a worker has told stays in the sum, exactly once."""
    metrics = [Metrics() for _ in range(2)]
    places = [place_in(directory) for _ in metrics]
    mine, yours = (Together(one.parts, place, SystemClock()) for one, place in zip(metrics, places, strict=True))
    for one in metrics:
        one(ENDED)
    sums = []

    async with mine:
        async with Answering(places[1], {METRICS: yours.answer}):
            sums.append(calls_in(await mine.families()))
            metrics[1](ENDED)
            sums.append(calls_in(await mine.families()))
        async with Answering(places[1], {METRICS: hang}):
            sums.append(calls_in(await mine.families()))
        dead(places[1])
        sums += [calls_in(await mine.families()) for _ in range(2)]

    assert sums == [2, 3, 3, 3, 3]


async def test_a_worker_that_ends_leaves_its_last_counts(directory: Path) -> None:
    """Nobody has to have asked."""
    metrics = Metrics()
    me = Together(Metrics().parts, place_in(directory), SystemClock())
    metrics(ENDED)

    async with Together(metrics.parts, place_in(directory), SystemClock()):
        metrics(ENDED)
    found = await me.families()

    assert calls_in(found) == 2


async def test_counts_that_cannot_be_kept_are_shown_all_the_same(tmp_path: Path) -> None:
    """Without the directory a worker speaks for itself, and says that something was lost."""
    metrics = Metrics()
    metrics(ENDED)
    alone = Together(metrics.parts, place_in(tmp_path / "gone"), SystemClock())

    found = await alone.families()

    assert calls_in(found) == 1
    assert alone.lost() > 0


def test_the_directory_is_private_and_goes_with_its_parent() -> None:
    """Only this user may look in."""
    with workers_directory() as made:
        mode = made.stat().st_mode & 0o777

    assert mode == 0o700
    assert not made.exists()


def test_what_a_killed_parent_left_is_swept_away() -> None:
    """A directory without a living parent goes with the next start; one in use stays."""
    with workers_directory() as left, workers_directory() as used:
        (left / "held").unlink()  # locks belong to files, not to names: this one is new, and nobody holds it
        (left / "held").touch()

        with workers_directory():
            survivors = (left.exists(), used.exists())

    assert survivors == (False, True)
