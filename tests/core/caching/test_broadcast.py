"""One stream for several readers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from app.core.caching.broadcast import Broadcast, BroadcastBounds, Reader
from app.core.caching.stored import Origin
from app.core.errors import STREAM_BROKEN, TARGET_FAILED, GatewayError
from app.core.model import StreamEvent
from app.core.stream import Batch
from tests.core.answers.making import framed
from tests.support.calls import done, text_in, usage, word

WORD = len(word("x").frame)


def broadcast(*, ahead: int = 10, behind: int = 1000, answer_max_bytes: int = 10_000) -> Broadcast:
    """Return a broadcast whose bounds are counted in short words."""
    return Broadcast(Origin(), BroadcastBounds(ahead * WORD, behind * WORD, answer_max_bytes))


async def words(*texts: str, pause_s: float = 1.0) -> AsyncGenerator[Batch, None]:
    """Say words, one each second, and finish."""
    for text in texts:
        yield [word(text)]
        await asyncio.sleep(pause_s)
    yield [framed({"choices": [{"delta": {}, "finish_reason": "stop"}]}), done()]


async def heard(reader: Reader, *, every_s: float = 0.0, most: int = 1000) -> list[StreamEvent]:
    """Read to the end, or `most` batches, with a pause after each."""
    found: list[StreamEvent] = []
    async for batch in reader.batches():
        found += batch
        most -= 1
        if not most:
            break
        await asyncio.sleep(every_s)
    return found


async def send(cast: Broadcast, source: AsyncGenerator[Batch, None]) -> None:
    """Relay a source, and say that it is over."""
    await cast.relay(source)
    cast.close(None)


async def test_everybody_gets_everything() -> None:
    """Who comes first and who comes late get the same text and one end, the late one what has come in fewer events."""
    cast = broadcast()
    early = asyncio.ensure_future(heard(cast.join()))
    sending = asyncio.ensure_future(send(cast, words("a", "b", "c")))

    await asyncio.sleep(1.5)
    late = await heard(cast.join())
    await sending

    assert text_in(await early) == text_in(late) == "abc"
    assert [event.done for event in late].count(True) == 1
    assert (await cast.completion()) is not None


async def test_late_readers_get_the_usage_that_has_come() -> None:
    """A usage that was reported before somebody came is reported to them, too."""
    cast = broadcast()

    async def source() -> AsyncGenerator[Batch, None]:
        yield [word("a"), usage(1, 2)]
        await asyncio.sleep(1.0)
        yield [done()]

    sending = asyncio.ensure_future(send(cast, source()))
    await asyncio.sleep(0.5)
    late = await heard(cast.join())
    await sending

    assert [event.chunk.usage.total_tokens for event in late if event.chunk and event.chunk.usage] == [3]


async def test_the_source_waits_for_the_fastest_reader() -> None:
    """It may be ahead by so many bytes and no more; a slower reader does not matter, one who leaves does not either."""
    cast = broadcast(ahead=3)
    fast, slow = cast.join(), cast.join()
    sending = asyncio.ensure_future(send(cast, words(*"abcdefgh", pause_s=0.0)))

    await asyncio.sleep(1.0)
    waits = fast.waiting_bytes
    await heard(fast, most=1)
    await asyncio.sleep(1.0)
    again = fast.waiting_bytes
    fast.leave()
    fast.leave()
    rest = await heard(slow)
    await sending

    assert waits == again == 4 * WORD
    assert text_in(rest) == "abcdefgh"


async def test_without_a_reader_nothing_waits() -> None:
    """An answer that is only to be stored is read as fast as it comes; a reader who comes at the end gets it all."""
    cast = broadcast(ahead=0)

    await send(cast, words(*"abc", pause_s=0.0))

    assert text_in(await heard(cast.join())) == "abc"
    assert not cast.joinable


async def test_who_is_too_slow_is_left_behind() -> None:
    """A reader who holds up more than so many bytes gets what it has, and an error; the others get everything."""
    cast = broadcast(behind=3)
    fast = asyncio.ensure_future(heard(cast.join()))
    slow = cast.join()

    await send(cast, words(*"abcdefgh", pause_s=0.1))
    with pytest.raises(GatewayError) as caught:
        await heard(slow)

    assert text_in(await fast) == "abcdefgh"
    assert caught.value.kind is STREAM_BROKEN


async def test_a_failure_is_told_to_each() -> None:
    """Readers get what had come, and then an error of their own; so does who waits for all of it."""
    cast = broadcast()
    cause = GatewayError(TARGET_FAILED, "no", retry_after_s=2.0).answered_by("acme")
    readers = [asyncio.ensure_future(heard(cast.join())) for _ in range(2)]
    whole = asyncio.ensure_future(cast.completion())
    gone = asyncio.ensure_future(cast.completion())
    await asyncio.sleep(0.0)
    gone.cancel()

    await cast.relay(words("a"))
    cast.close(cause)
    found = await asyncio.gather(*readers, whole, cast.completion(), heard(cast.join()), return_exceptions=True)

    assert len({id(error) for error in found}) == len(found)
    for error in found:
        assert isinstance(error, GatewayError)
        assert error is not cause
        assert (error.kind, error.retry_after_s, error.provider, error.from_upstream) == (
            TARGET_FAILED,
            2.0,
            "acme",
            True,
        )


async def test_an_answer_that_grows_too_large_takes_nobody_else() -> None:
    """Those who read go on; a late one could not be told what has come."""
    cast = broadcast(answer_max_bytes=10)
    reading = asyncio.ensure_future(heard(cast.join()))
    before = cast.joinable

    sending = asyncio.ensure_future(send(cast, words("x" * 40_000, "y" * 40_000, "z", pause_s=0.1)))
    await asyncio.sleep(0.15)
    joinable = cast.joinable
    await sending

    assert (before, joinable) == (True, False)
    assert len(text_in(await reading)) == 80_001
    assert await cast.completion() is None
