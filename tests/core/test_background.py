"""What works beside something ends with it."""

from __future__ import annotations

import asyncio

import pytest

from app.core.background import BackgroundWork


class Counting(BackgroundWork):
    """Counts turns of the loop."""

    def __init__(self) -> None:
        self.turns = 0
        self.begun = asyncio.Event()

    async def _run(self) -> None:
        while True:
            self.turns += 1
            self.begun.set()
            await asyncio.sleep(0)


async def test_it_works_while_the_context_lasts() -> None:
    """Work begins with the context, and none is done after it."""
    counting = Counting()

    async with counting:
        await counting.begun.wait()
    turns = counting.turns
    await asyncio.sleep(0)

    assert turns > 0
    assert counting.turns == turns


async def test_an_error_in_the_context_ends_it_as_well() -> None:
    """Whoever leaves by an exception leaves no task behind."""
    counting = Counting()

    with pytest.raises(KeyError):
        async with counting:
            raise KeyError

    assert asyncio.all_tasks() == {asyncio.current_task()}
