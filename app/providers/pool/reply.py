"""
One answer: the connection fills it, the caller reads it.

Between the two there is no queue and no event, only a list of parts and at most one future: an answer that arrives
whole wakes its caller once.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Protocol, Self

from app.core.errors import GatewayError


class Line(Protocol):
    """The connection, as its answer uses it."""

    def resume(self) -> None:
        """Resume reading: the caller has taken the held parts."""
        ...

    def drop(self) -> None:
        """Close at once: the rest is not wanted."""
        ...


class PoolReply:
    """
    The `UpstreamReply` of the pool, and the iterator over its own body.

    `status` is 0 until the head is there. Once `complete` it is detached from the connection, and what was received can
    still be read. The connection sets `status` and `raw_headers`, appends to `parts` and counts them in `held_bytes`.
    """

    __slots__ = ("_failure", "_headers", "_line", "_waiter", "complete", "held_bytes", "parts",
                 "paused", "raw_headers", "status")  # fmt: skip

    def __init__(self, line: Line) -> None:
        self.status = 0
        self.parts: list[bytes] = []
        self.held_bytes = 0
        self.paused = False
        self.complete = False
        self._line: Line | None = line
        self.raw_headers: Mapping[bytes, bytes]
        self._headers: dict[str, str] | None = None
        self._failure: GatewayError | None = None
        self._waiter: asyncio.Future[None] | None = None

    # --- for the caller ---------------------------------------------------------------------------------------------

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the headers, their names in lower case; of repeated ones, the last."""
        if self._headers is None:
            self._headers = {
                name.decode("latin-1").lower(): value.decode("latin-1").strip(" \t")
                for name, value in self.raw_headers.items()
            }
        return self._headers

    def rest(self) -> bytes | None:
        """Return the whole rest, if it has arrived; see the port."""
        return self._taken() if self.complete else None

    def chunks(self) -> AsyncIterator[bytes]:
        """Iterate over the body, once; see the port. All that has arrived is one chunk."""
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self.parts:
            if self._failure is not None:
                raise self._failure
            if self.complete:
                raise StopAsyncIteration
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            except asyncio.CancelledError:
                await self.aclose()
                raise
        taken = self._taken()
        if self.paused:
            self.paused = False
            if self._line is not None:
                self._line.resume()
        return taken

    async def aclose(self) -> None:
        """Release the answer; the connection is closed unless all of it has arrived."""
        self.parts = []
        self.complete = True
        line, self._line = self._line, None
        if line is not None:
            line.drop()

    def _taken(self) -> bytes:
        parts, self.parts = self.parts, []
        self.held_bytes = 0
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # --- for the connection -----------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Mark the answer as complete."""
        self.complete = True
        self._line = None

    def fail(self, failure: GatewayError) -> None:
        """Mark the answer as broken; the caller gets the parts before it first."""
        self._failure = failure
        self._line = None

    def wake(self) -> None:
        """Wake the caller."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
