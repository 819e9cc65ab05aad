"""
Notices that the files of a configuration have changed.

It looks at them twice a second instead of asking the kernel for news: that works on every file system, through bind
mounts and for the exchange of a symbolic link by which Kubernetes replaces a ConfigMap, and costs a few microseconds.
A file is read once it has kept still between two looks, so that half of it is not taken for all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from app.config.files import seen
from app.config.load import Loaded
from app.core.clock import Clock

EVERY_S: Final = 0.5


class Watch:
    """
    Watches the files that a configuration was read from; run it as a task.

    Args:
        loaded: Returns the configuration in use, which knows how its files looked when they were read.

        changed: Called when they look otherwise; not again until they look otherwise once more.

        clock: Source of time.
    """

    def __init__(self, loaded: Callable[[], Loaded], changed: Callable[[], None], clock: Clock) -> None:
        self._loaded = loaded
        self._changed = changed
        self._clock = clock

    async def run(self) -> None:
        """Watch until cancelled."""
        before, told = self._loaded().seen, None
        while True:
            await self._clock.sleep(EVERY_S)
            now = await asyncio.to_thread(seen, self._loaded().files)
            used = self._loaded().seen
            if told == used:
                told = None  # nothing is open: what was told of is in use
            if now == before and now != told and (now != used or told is not None):
                told = now  # a bad file that gives way to the old one is news, too
                self._changed()
            before = now
