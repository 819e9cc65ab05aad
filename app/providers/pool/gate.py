"""Waiting in line."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """
    Let so many in at a time; the others wait in the order in which they came.

    While anybody is in `line`, `free` is 0: who leaves hands the place to the first, so nobody jumps the queue. Where
    every call passes, and finds places and no line, it may as well count `free` down and up by itself.
    """

    __slots__ = ("free", "line", "places")

    def __init__(self, places: int) -> None:
        self.places = places
        self.free = places
        self.line: deque[asyncio.Future[None]] = deque()

    @property
    def used(self) -> int:
        """Return how many are inside."""
        return self.places - self.free

    async def enter(self) -> None:
        """Take a place, when there is one."""
        if self.free:
            self.free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self.line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()  # the place came at the very moment of the cancellation
            elif turn in self.line:
                self.line.remove(turn)
            raise

    def leave(self) -> None:
        """Give a place back."""
        while self.line:
            turn = self.line.popleft()
            if not turn.done():  # else it was cancelled and has not come round to leaving the line
                turn.set_result(None)
                return
        self.free += 1
