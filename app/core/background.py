"""What is done beside something else, for as long as that lasts."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class BackgroundWork(ABC):
    """A context beside which a task of its own runs, from its beginning to its end."""

    @abstractmethod
    async def _run(self) -> None:
        """Work until cancelled."""

    async def _finish(self) -> None:  # noqa: B027 - most leave nothing
        """Do what is left to be done afterwards."""

    async def __aenter__(self) -> Self:
        """Begin to work."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop working; nothing is under way afterwards."""
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._finish()
