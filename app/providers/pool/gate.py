"""Waiting in line."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """
    Let so many in at a time; the others wait in the order in which they came.

    While anybody waits, `free` is 0: who leaves hands the place to the first in line, so nobody jumps the queue.
    """

    __slots__ = ("_line", "free", "places")

    def __init__(self, places: int) -> None:
        self.places = places
        self.free = places
        self._line: deque[asyncio.Future[None]] = deque()

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
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self.leave()  # the place came at the very moment of the cancellation
            elif turn in self._line:
                self._line.remove(turn)
            raise

    def leave(self) -> None:
        """Give a place back."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():  # else it was cancelled and has not come round to leaving the line
                turn.set_result(None)
                return
        self.free += 1
