"""The way to one origin: the connections that rest there, and the right to have one more busy."""

from __future__ import annotations

import asyncio
from collections import deque

from app.providers.pool.connection import Connection
from app.providers.pool.gate import Gate
from app.providers.pool.options import PoolOptions
from app.providers.pool.origin import Origin


class Lane:
    """
    Keeps resting connections, the latest used on top, and counts the busy ones against two gates.

    The latest used is the least likely to be closed by the peer, and those below may grow old and go: the lane shrinks
    by itself to what its load needs. A place at both gates is held by each busy connection, and by who is opening one.
    """

    def __init__(self, origin: Origin, options: PoolOptions, everyone: Gate) -> None:
        self.origin = origin
        self._options = options
        self._everyone = everyone
        self._gate = Gate(options.per_origin_max)
        self._resting: deque[Connection] = deque()  # by `rested_since`, the earliest on the left
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def resting(self) -> int:
        """Return how many connections rest."""
        return len(self._resting)

    @property
    def oldest(self) -> float:
        """Return since when the longest resting connection does so; infinity if none rests."""
        return self._resting[0].rested_since if self._resting else float("inf")

    @property
    def crowded(self) -> bool:
        """Tell whether resting and busy connections are more than the origin may have."""
        return self._gate.used + len(self._resting) > self._gate.places

    def reuse(self) -> Connection | None:
        """Return a resting connection, now busy, if there is one and nobody has to wait for it."""
        if not self._resting or not self._gate.free or not self._everyone.free:
            return None
        connection = self.take()
        if connection is not None:
            self._gate.free -= 1
            self._everyone.free -= 1
        return connection

    async def enter(self) -> None:
        """Wait for the right to have one more busy connection."""
        await self._gate.enter()
        try:
            await self._everyone.enter()
        except BaseException:
            self._gate.leave()
            raise

    def leave(self) -> None:
        """Give the right back."""
        self._everyone.leave()
        self._gate.leave()

    def take(self) -> Connection | None:
        """Return the latest used of the resting connections that are still open, if any, to one who has entered."""
        while self._resting:
            connection = self._resting.pop()
            if not connection.ended:
                return connection
            connection.drop()
        return None

    def ready(self, connection: Connection) -> None:
        """Keep a connection whose exchange is over, unless it has grown old."""
        if self._gate.line or self._everyone.line:
            self.leave()
        else:
            self._gate.free += 1
            self._everyone.free += 1
        connection.rested_since = now = self._loop.time()
        if now - connection.born >= self._options.age_s:
            connection.drop()
            return
        self._resting.append(connection)
        if self._timer is None:
            self._timer = self._loop.call_later(self._options.idle_s, self._sweep)

    def gone(self, connection: Connection, *, busy: bool) -> None:
        """Forget a closed connection."""
        if busy:
            self.leave()
        elif connection in self._resting:
            self._resting.remove(connection)

    def close_oldest(self) -> None:
        """Close the connection that has rested longest; there must be one."""
        self._resting[0].drop()

    def close(self) -> None:
        """Close what rests and stop watching."""
        while self._resting:
            self._resting.pop().drop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        """Close what has rested too long, and look again when the next one will have."""
        self._timer = None
        now = self._loop.time()
        while self._resting and now - self.oldest >= self._options.idle_s:
            self.close_oldest()
        if self._resting:
            self._timer = self._loop.call_at(self.oldest + self._options.idle_s, self._sweep)
