"""What a store of requests does, and the one in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice
from typing import Protocol

from app.core.requests import RequestEntry, RequestQuery


class RequestStore(Protocol):
    """Keeps the newest entries."""

    @property
    def shared(self) -> bool:
        """Say whether other workers can find them."""
        ...

    async def add(self, entries: Sequence[RequestEntry]) -> None:
        """
        Keep `entries`, the last of which is the newest.

        Raises:
            StateLostError: It cannot be done now.
        """
        ...

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """
        Return the entries that are wanted, the newest first.

        Raises:
            StateLostError: The store does not answer.
        """
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...


class MemoryRequests:
    """Keeps `max_entries` as long as the process lives."""

    shared = False

    def __init__(self, max_entries: int) -> None:
        self._entries: deque[RequestEntry] = deque(maxlen=max_entries)

    async def add(self, entries: Sequence[RequestEntry]) -> None:
        """Keep them at once."""
        self._entries.extend(entries)

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """Look through all of them."""
        return list(islice(filter(query.admits, reversed(self._entries)), query.limit))

    async def aclose(self) -> None:
        """There is nothing to close."""
