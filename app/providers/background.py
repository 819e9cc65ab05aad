"""Tasks that ask providers in the background, exchanged as a whole when the configuration changes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable


class Background:
    """Runs some tasks until others take their place."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, work: Iterable[Coroutine[None, None, None]]) -> None:
        """Begin these, and cancel those that ran."""
        self._stop()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(each) for each in work]

    async def aclose(self) -> None:
        """Cancel those that run, and wait for their end."""
        tasks = self._tasks
        self._stop()
        if tasks:
            await asyncio.wait(tasks)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
