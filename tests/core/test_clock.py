"""The system's clock."""

from __future__ import annotations

import asyncio
import time

from app.core.clock import SystemClock


def test_now_is_the_monotonic_clock() -> None:
    """`now` lies between two readings of the clock that asyncio's timers use."""
    clock = SystemClock()

    before = time.monotonic()
    now = clock.now()

    assert before <= now <= time.monotonic()


def test_wall_is_the_time_of_day() -> None:
    """`wall` lies between two readings of the system's time of day."""
    clock = SystemClock()

    before = time.time()
    wall = clock.wall()

    assert before <= wall <= time.time()


async def test_sleep_waits_on_the_running_loop() -> None:
    """A pause is a timer of the loop, so it takes its full length of the loop's time."""
    loop = asyncio.get_running_loop()
    begun = loop.time()

    await SystemClock().sleep(90.0)

    assert loop.time() - begun == 90.0
