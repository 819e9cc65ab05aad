"""A fair semaphore that hot paths can inline."""

from __future__ import annotations

import asyncio
from collections import deque


class Gate:
    """
    Admits a bounded number at a time; the others wait in order of arrival.

    While there is a `line`, `free` is 0: a place is handed to the first in line, so that nobody overtakes. Code on the
    hot path that finds a free place and no line may count `free` down and up itself.
    """

    __slots__ = ("free", "line", "places")

    def __init__(self, places: int) -> None:
        self.places = places
        self.free = places
        self.line: deque[asyncio.Future[None]] = deque()

    @property
    def used(self) -> int:
        """Return the number of taken places."""
        return self.places - self.free

    async def enter(self) -> None:
        """Take a place, as soon as there is one."""
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
