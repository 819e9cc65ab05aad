"""How fast an answer comes again."""

from __future__ import annotations

import asyncio

from app.core.caching.serving import Stopwatch, paced
from tests.support.calls import text_in, word
from tests.support.virtual_time import VirtualClock


async def test_a_pace_is_a_curve(clock: VirtualClock) -> None:
    """However many events there were, what is remembered of their times is little, and ends with the last one."""
    watch = Stopwatch(clock.now)
    for _ in range(1000):
        watch.observe([word("x")])
        await asyncio.sleep(0.01)

    pace = watch.pace()

    assert 64 <= len(pace) < 128
    assert pace[0] == (0.0, 0.001)
    assert pace[-1][1] > 0.99
    assert list(pace) == sorted(pace)


def test_nothing_has_no_pace() -> None:
    """A stream that has said nothing is not replayed in any way."""
    assert Stopwatch(lambda: 0.0).pace() == ()


async def test_events_come_when_as_much_had_come(clock: VirtualClock) -> None:
    """Those of one moment come together; what comes after the last mark comes with it; nothing is lost."""
    events = [word(str(n)) for n in range(10)]
    began = clock.now()

    found = [
        (clock.now() - began, text_in(list(batch))) async for batch in paced(events, ((0.0, 0.3), (2.0, 0.5)), clock)
    ]

    assert found == [(0.0, "012"), (2.0, "3456789")]


async def test_a_slow_reader_is_not_held_up(clock: VirtualClock) -> None:
    """Who reads late gets the rest without further pauses."""
    events = [word(str(n)) for n in range(4)]
    times = []

    async for batch in paced(events, ((0.0, 0.25), (1.0, 0.5), (2.0, 1.0)), clock):
        times.append((clock.slept[:], text_in(list(batch))))
        await asyncio.sleep(5.0)

    assert [text for _, text in times] == ["0", "123"]
    assert sum(clock.slept) == 0.0


async def test_no_events_are_no_stream(clock: VirtualClock) -> None:
    """An empty answer ends at once."""
    assert [batch async for batch in paced([], ((0.0, 1.0),), clock)] == []
