"""The request log in the memory of this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from app.core.request_log import RequestEntry, RequestQuery


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
