"""The line at the gate."""

from __future__ import annotations

import asyncio

from app.providers.pool.gate import Gate

ON_BOTH_LOOPS = True


async def test_lets_in_as_many_as_there_are_places() -> None:
    """While there are places nobody waits."""
    gate = Gate(2)

    await gate.enter()
    await gate.enter()

    assert (gate.free, gate.used) == (0, 2)


async def test_a_place_goes_to_who_came_first() -> None:
    """Those who wait enter in the order of their coming, and nobody slips in between."""
    gate, order = Gate(1), []

    async def visit(name: str) -> None:
        await gate.enter()
        order.append(name)
        gate.leave()

    await gate.enter()
    waiting = [asyncio.create_task(visit(name)) for name in "abc"]
    await asyncio.sleep(0)
    gate.leave()
    free_meanwhile = gate.free
    await asyncio.gather(*waiting)

    assert (order, free_meanwhile, gate.free) == (["a", "b", "c"], 0, 1)


async def test_who_is_cancelled_is_skipped() -> None:
    """A place is not given to one who has left, even if it was only just now."""
    gate = Gate(1)
    await gate.enter()
    first, second = (asyncio.create_task(gate.enter()) for _ in range(2))
    await asyncio.sleep(0)

    first.cancel()
    gate.leave()
    await asyncio.wait([first, second])

    assert (first.cancelled(), second.cancelled(), gate.free) == (True, False, 0)


async def test_who_is_cancelled_on_the_threshold_gives_the_place_back() -> None:
    """A place that was granted to one who leaves at that moment is free again."""
    gate = Gate(1)
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)

    gate.leave()
    waiting.cancel()
    await asyncio.wait([waiting])

    assert (waiting.cancelled(), gate.free) == (True, 1)
