"""
Detect changes of the configuration files.

It polls them twice a second instead of using kernel notifications: polling works on every file system, through bind
mounts and for the exchange of a symbolic link by which Kubernetes replaces a ConfigMap, and costs a few microseconds.
A file is read once it is unchanged between two polls, so that no half-written file is read.
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
        loaded: Returns the configuration in use, including the state of its files when they were read.

        changed: Called once for each new state of the files.
    """

    def __init__(self, loaded: Callable[[], Loaded], changed: Callable[[], None], clock: Clock) -> None:
        self._loaded = loaded
        self._changed = changed
        self._clock = clock

    async def run(self) -> None:
        """Watch until cancelled."""
        before, reported = self._loaded().seen, None
        while True:
            await self._clock.sleep(EVERY_S)
            now = await asyncio.to_thread(seen, self._loaded().files)
            used = self._loaded().seen
            if reported == used:
                reported = None  # the reported state is in use
            if now == before and now != reported and (now != used or reported is not None):
                reported = now  # an invalid file that is replaced by the old one is a change, too
                self._changed()
            before = now
