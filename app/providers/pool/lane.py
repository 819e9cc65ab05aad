"""The connections to one origin: idle ones, and the bound on busy ones."""

from __future__ import annotations

import asyncio
from collections import deque

from app.providers.pool.connection import Connection
from app.providers.pool.gate import Gate
from app.providers.pool.options import PoolOptions
from app.providers.pool.origin import Origin


class Lane:
    """
    Keeps idle connections as a stack, and counts the busy ones against two gates.

    The most recently used one is the least likely to be closed by the peer, and the others expire, so the lane shrinks
    to what its load needs. Each busy or opening connection holds a place at both gates.
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
        """Return the number of idle connections."""
        return len(self._resting)

    @property
    def oldest(self) -> float:
        """Return since when the oldest idle connection is idle; infinity if there is none."""
        return self._resting[0].rested_since if self._resting else float("inf")

    @property
    def crowded(self) -> bool:
        """Return whether idle and busy connections exceed the origin's bound."""
        return self._gate.used + len(self._resting) > self._gate.places

    def reuse(self) -> Connection | None:
        """Return an idle connection, now busy, if there is one and nobody waits."""
        if not self._resting or not self._gate.free or not self._everyone.free:
            return None
        connection = self.take()
        if connection is not None:
            self._gate.free -= 1
            self._everyone.free -= 1
        return connection

    async def enter(self) -> None:
        """Wait for a place for one more busy connection."""
        await self._gate.enter()
        try:
            await self._everyone.enter()
        except BaseException:
            self._gate.leave()
            raise

    def leave(self) -> None:
        """Give the place back."""
        self._everyone.leave()
        self._gate.leave()

    def take(self) -> Connection | None:
        """Return the most recently used idle connection that is still open, if any; after `enter`."""
        while self._resting:
            connection = self._resting.pop()
            if not connection.ended:
                return connection
            connection.drop()
        return None

    def ready(self, connection: Connection) -> None:
        """Keep a connection after its exchange, unless it is too old."""
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
        """Remove a closed connection."""
        if busy:
            self.leave()
        elif connection in self._resting:
            self._resting.remove(connection)

    def close_oldest(self) -> None:
        """Close the connection that has been idle longest; there must be one."""
        self._resting[0].drop()

    def close(self) -> None:
        """Close all idle connections, and stop the timer."""
        while self._resting:
            self._resting.pop().drop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _sweep(self) -> None:
        """Close connections that were idle too long, and set the timer for the next one."""
        self._timer = None
        now = self._loop.time()
        while self._resting and now - self.oldest >= self._options.idle_s:
            self.close_oldest()
        if self._resting:
            self._timer = self._loop.call_at(self.oldest + self._options.idle_s, self._sweep)
