"""Takes the entries of the request log from the path of calls, and gives them to the store in batches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from app.core.background import BackgroundWork
from app.core.clock import Clock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.request_log import RequestEntry, RequestQuery
from app.state.link import StateLostError

FLUSH_S: Final = 0.5
WAITING_MAX: Final = 10_000  # entries, about 10 MB; those that find no room are lost, and counted
_BATCH: Final = 100  # one pipeline of Redis, in which calls may be waiting


class RequestStore(Protocol):
    """Keeps the newest entries."""

    @property
    def shared(self) -> bool:
        """Say whether other workers can find them."""

    async def add(self, entries: Sequence[RequestEntry]) -> None:
        """
        Keep `entries`, the last of which is the newest.

        Raises:
            StateLostError: It cannot be done now.
        """

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """
        Return the entries that are wanted, the newest first.

        Raises:
            StateLostError: The store does not answer.
        """

    async def aclose(self) -> None:
        """Close what was opened."""


class RequestBook(BackgroundWork):
    """A context manager whose task writes; leaving it writes what is left, and closes the store."""

    def __init__(self, store: RequestStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[RequestEntry] = []
        self._lost = 0
        self._lock = asyncio.Lock()

    @property
    def shared(self) -> bool:
        """Say whether other workers can find the entries."""
        return self._store.shared

    @property
    def lost(self) -> int:
        """Return how many entries found no room."""
        return self._lost

    def take(self, entry: RequestEntry) -> None:
        """Take an entry, to be written soon."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(entry)
        else:
            self._lost += 1

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """
        Return the entries that are wanted, the newest first; what has just happened is among them.

        Raises:
            GatewayError: STATE_UNAVAILABLE.
        """
        try:
            await self._flush()
            return await self._store.find(query)
        except StateLostError as error:
            message = "The store of the request log does not answer."
            raise GatewayError(STATE_UNAVAILABLE, message, retry_after_s=1.0) from error

    async def _finish(self) -> None:
        """Write what is left, and close the store."""
        with suppress(StateLostError):
            await self._flush()
        await self._store.aclose()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_S)
            with suppress(StateLostError):
                await self._flush()

    async def _flush(self) -> None:
        """Give the store what there is; what it does not take waits for the next time."""
        async with self._lock:
            while self._waiting:
                batch = self._waiting[:_BATCH]
                await self._store.add(batch)
                del self._waiting[: len(batch)]
