"""The ports of the cache: answers in this process (`Shelf`), those of all replicas (`SharedAnswers`), the admin API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Literal, Protocol, TypeAlias

import msgspec

from app.core.caching.broadcast import Broadcast
from app.core.caching.single_flight import Flight
from app.core.caching.stored import Origin, Selection, Stored
from app.core.errors import GatewayError
from app.core.stream import Batch

CacheOutcome: TypeAlias = Literal["hit", "miss", "coalesced", "bypass"]


class Tally(msgspec.Struct):
    """
    Counts calls by cache outcome; outlives configurations.

    `hits` include those that were `stale`. `coalesced` calls got the answer to another call under way; `bypassed` ones
    asked for no caching, or are not cacheable.
    """

    hits: int = 0
    misses: int = 0
    coalesced: int = 0
    bypassed: int = 0
    stale: int = 0

    def count(self, outcome: CacheOutcome, *, stale: bool = False) -> None:
        """Count one call."""
        if outcome == "hit":
            self.hits += 1
            self.stale += stale
        elif outcome == "miss":
            self.misses += 1
        elif outcome == "coalesced":
            self.coalesced += 1
        else:
            self.bypassed += 1


class ShelfView(msgspec.Struct, frozen=True):
    """How full a shelf is; `evicted` counts the answers removed before they expired."""

    entries: int
    entries_max: int
    bytes: int
    bytes_max: int
    evicted: int


class SharedView(msgspec.Struct, frozen=True):
    """
    The shared store: its answers, and the tally of all replicas together.

    `partial`: there are more answers than were counted.
    """

    entries: int
    bytes: int
    partial: bool
    tally: Tally


class Shelf(Protocol):
    """The answers in the memory of this process. No method blocks."""

    def get(self, key: str) -> Stored | None:
        """Return an answer that is still stored, fresh or stale."""

    def put(self, key: str, stored: Stored) -> None:
        """Store an answer; evicts others if there is no room."""

    def remove(self, selection: Selection) -> int:
        """Delete the selected answers and return how many there were."""

    def view(self) -> ShelfView:
        """Return how full it is."""

    def oldest_s(self) -> float | None:
        """Return the age of the oldest answer; takes time linear in their number."""


class Lease(Protocol):
    """
    The right, among all replicas, to make the one upstream call for a key. No method blocks or raises.

    The other replicas get the result that its holder reports. If the holder dies, the lease expires.
    """

    def streams(self, broadcast: Broadcast) -> None:
        """Offer the stream to the other replicas; `done` or `failed` has to follow."""

    def done(self, stored: Stored | None) -> None:
        """Release the lease: the answer is complete; None: it cannot be passed on to the other replicas."""

    def failed(self, error: GatewayError, origin: Origin) -> None:
        """Release the lease: those who wait now get the error, and the origin of the call that failed."""

    def drop(self) -> None:
        """Release the lease: another replica may make the call."""


class LeaderGoneError(Exception):
    """The replica that held the lease is gone, and has not passed on anything of an answer."""


class RemoteStream(msgspec.Struct, frozen=True):
    """The stream of a call that another replica makes; `batches` raise `GatewayError` if it breaks off."""

    origin: Origin
    batches: AsyncGenerator[Batch, None]


class Remote(Protocol):
    """An upstream call that another replica makes."""

    @property
    def origin(self) -> Origin | None:
        """Return the origin of a call that failed, if the other replica reported it."""
        ...

    async def landing(self) -> Stored | RemoteStream:
        """
        Wait for the answer.

        Raises:
            LeaderGoneError: There will be none.
            GatewayError: The error of the call.
        """


class Looked(msgspec.Struct, frozen=True):
    """
    What the shared store has for a key: a stored answer, or who makes the call, or neither.

    With `lease` this replica makes the call, with `remote` another one does.
    """

    stored: Stored | None = None
    lease: Lease | None = None
    remote: Remote | None = None


class SharedAnswers(Protocol):
    """The store that replicas share. While it is unreachable, its methods find nothing and store nothing."""

    @property
    def without(self) -> Literal["local", "open", "closed"] | None:
        """Return the fallback (`redis.fail.cache`) while the store is unreachable; None while it is reachable."""

    @property
    def copies(self) -> bool:
        """Return whether each process keeps copies in its own memory."""

    async def get(self, key: str) -> Stored | None:
        """Return an answer that is still stored, fresh or stale."""

    async def look(self, key: str, flight: Flight) -> Looked:
        """Return a fresh answer, or else make sure that one replica fetches it: with `flight`, if it is this one."""

    def put(self, key: str, stored: Stored) -> None:
        """Store an answer in the background."""

    def watch(self, shelf: Shelf, tally: Tally) -> None:
        """Delete copies in `shelf` when any replica deletes the answers; add `tally` to that of all replicas."""

    async def view(self) -> SharedView | None:
        """Count the stored answers; None if the store is unreachable."""

    async def remove(self, selection: Selection) -> int:
        """
        Delete the selected answers, everywhere, and return how many there were.

        Raises:
            GatewayError: STATE_UNAVAILABLE; some of them may be left.
        """


class CacheView(msgspec.Struct, frozen=True):
    """The cache as this process sees it. `shared` is None if there is no shared store, or it is unreachable."""

    store: Literal["memory", "redis"]
    tally: Tally
    shelf: ShelfView
    oldest_s: float | None
    shared: SharedView | None = None


class CacheDesk(Protocol):
    """What the admin API needs of the cache."""

    async def view(self) -> CacheView:
        """Return how full the cache is, and its tally."""

    async def remove(self, selection: Selection) -> int:
        """
        Delete the selected answers, everywhere, and return how many there were.

        Raises:
            GatewayError: STATE_UNAVAILABLE if the shared store is unreachable; some of them may be left.
        """
