"""Collects the entries of the request log, and writes them to the store in batches outside the request path."""

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
WAITING_MAX: Final = 10_000  # entries, about 10 MB; beyond that entries are dropped and counted
_BATCH: Final = 100  # in one Redis pipeline, for which calls may be waiting


class RequestStore(Protocol):
    """Keeps the newest entries."""

    @property
    def shared(self) -> bool:
        """Return whether other workers can read them."""

    async def add(self, entries: Sequence[RequestEntry]) -> None:
        """
        Store `entries`, oldest first.

        Raises:
            StateLostError: It failed.
        """

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """
        Return the matching entries, newest first.

        Raises:
            StateLostError: The store does not answer.
        """

    async def aclose(self) -> None:
        """Close what was opened."""


class RequestBook(BackgroundWork):
    """A context manager whose task writes; leaving it writes the rest and closes the store."""

    def __init__(self, store: RequestStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: list[RequestEntry] = []
        self._lost = 0
        self._lock = asyncio.Lock()

    @property
    def shared(self) -> bool:
        """Return whether other workers can read the entries."""
        return self._store.shared

    @property
    def lost(self) -> int:
        """Return the number of dropped entries."""
        return self._lost

    def take(self, entry: RequestEntry) -> None:
        """Queue an entry."""
        if len(self._waiting) < WAITING_MAX:
            self._waiting.append(entry)
        else:
            self._lost += 1

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """
        Return the matching entries up to this moment, newest first.

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
        """Write the rest, and close the store."""
        with suppress(StateLostError):
            await self._flush()
        await self._store.aclose()

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_S)
            with suppress(StateLostError):
                await self._flush()

    async def _flush(self) -> None:
        """Write queued entries; those that the store does not accept wait for the next time."""
        async with self._lock:
            while self._waiting:
                batch = self._waiting[:_BATCH]
                await self._store.add(batch)
                del self._waiting[: len(batch)]
