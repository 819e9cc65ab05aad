"""Background tasks that call providers, replaced as a whole when the configuration changes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable


class Background:
    """Runs a set of tasks until another set replaces it."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def run(self, work: Iterable[Coroutine[None, None, None]]) -> None:
        """Start these tasks, and cancel the previous ones."""
        self._stop()
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(each) for each in work]

    async def aclose(self) -> None:
        """Cancel the tasks, and wait for their end."""
        tasks = self._tasks
        self._stop()
        if tasks:
            await asyncio.wait(tasks)

    def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        self._tasks = []
