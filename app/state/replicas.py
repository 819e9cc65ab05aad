"""
Makes every replica reload its own configuration when one of them is told to.

Only a growing number goes through Redis, never configuration: each replica has its own file, and keeps its current
configuration if the file is invalid. A replica that cannot reach Redis checks as soon as it can.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from app.state.link import Command, Follower, Link, arrived


class SharedReplicas(Follower):
    """The `Replicas` in Redis; follows `link`."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._key = f"{link.key_prefix}:reloads"
        self._seen: int | None = None
        self._reread: Callable[[], None] = lambda: None
        link.follow(self)

    def listen(self, reread: Callable[[], None]) -> None:
        """Call `reread` when the number has grown."""
        self._reread = reread

    def reread(self) -> None:
        """Increment the number, if Redis is in reach; otherwise the operator has to repeat the request."""
        if self._link.up:
            self._link.submit(Command(("INCR", self._key))).add_done_callback(self._counted)

    async def beat(self) -> None:
        """Check the number."""
        found = int(await self._link.submit(Command(("GET", self._key))) or 0)
        before, self._seen = self._seen, found
        if before is not None and found != before:
            self._reread()

    def _counted(self, answer: asyncio.Future[Any]) -> None:
        """Ignore a change that this replica made."""
        if arrived(answer) and self._seen is not None:
            self._seen = max(self._seen, int(answer.result()))
