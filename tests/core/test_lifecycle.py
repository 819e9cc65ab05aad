"""A process goes through its phases once, and only forwards."""

from __future__ import annotations

import asyncio

from app.core.lifecycle import Lifecycle


async def test_phases() -> None:
    """It serves, drains, and cuts off at last."""
    life = Lifecycle()

    seen = [(life.draining, life.cutting)]
    life.drain()
    seen.append((life.draining, life.cutting))
    life.cut()
    seen.append((life.draining, life.cutting))

    assert seen == [(False, False), (True, False), (True, True)]


async def test_never_goes_back() -> None:
    """A late wish to drain does not let calls go on that are being cut off."""
    life = Lifecycle()
    life.cut()

    life.drain()

    assert life.cutting


async def test_the_end_can_be_waited_for() -> None:
    """Long answers that serve nobody's call end as soon as the process begins to."""
    life = Lifecycle()
    waiting = asyncio.ensure_future(life.ending())
    await asyncio.sleep(0)
    before = waiting.done()

    life.drain()
    await waiting

    assert not before
