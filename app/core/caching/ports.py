"""Where stored answers are kept, here (`Shelf`) and by all replicas (`SharedAnswers`), and who looks at them."""

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
    Counts calls by what the cache did for them; outlives configurations.

    `hits` include those that were `stale`. `coalesced` calls had the answer to another call that was under way, and
    `bypassed` ones wanted nothing of the cache, or nothing that it may give.
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
    """How full a shelf is; `evicted` counts the answers that had to go before their time."""

    entries: int
    entries_max: int
    bytes: int
    bytes_max: int
    evicted: int


class SharedView(msgspec.Struct, frozen=True):
    """
    What replicas share: the stored answers, and what all of them together have counted.

    `partial` says that there are more answers than were looked at.
    """

    entries: int
    bytes: int
    partial: bool
    tally: Tally


class Shelf(Protocol):
    """The answers in the memory of this process. Nothing here waits."""

    def get(self, key: str) -> Stored | None:
        """Return an answer that is still kept, fresh or stale."""

    def put(self, key: str, stored: Stored) -> None:
        """Keep an answer, and let others go for it where there is no room."""

    def remove(self, selection: Selection) -> int:
        """Forget the selected answers and return how many they were."""

    def view(self) -> ShelfView:
        """Return how full it is."""

    def oldest_s(self) -> float | None:
        """Return the age of the oldest answer; looks at all of them."""


class Lease(Protocol):
    """
    The right, among all replicas, to make the one upstream call for a key. Nothing here waits or raises.

    Others who wait are told what its holder tells; if it tells nothing any more, because it died, the lease runs out.
    """

    def streams(self, broadcast: Broadcast) -> None:
        """Let others have the stream, if any of them asks for it; then one of the next two must be told."""

    def done(self, stored: Stored | None) -> None:
        """Give the lease back: the answer is complete. None says that others cannot be told what it is."""

    def failed(self, error: GatewayError, origin: Origin) -> None:
        """Give the lease back: there is no answer for those who wait now, but the way that the call took."""

    def drop(self) -> None:
        """Give the lease back: somebody else may make the call."""


class LeaderGoneError(Exception):
    """The replica that was to make a call did not, and nothing of an answer has been seen."""


class RemoteStream(msgspec.Struct, frozen=True):
    """An answer that another replica is being streamed; `batches` raise `GatewayError` if it breaks off."""

    origin: Origin
    batches: AsyncGenerator[Batch, None]


class Remote(Protocol):
    """An upstream call that another replica makes; `origin` is the way of one that failed, where that is told."""

    @property
    def origin(self) -> Origin | None:
        """Return it."""
        ...

    async def landing(self) -> Stored | RemoteStream:
        """
        Wait for the answer.

        Raises:
            LeaderGoneError: There will be none.
            GatewayError: What the call failed with.
        """


class Looked(msgspec.Struct, frozen=True):
    """
    What all replicas know about a key: a stored answer, who makes the call, or nothing at all.

    With `lease` it is this one that makes the call, with `remote` another.
    """

    stored: Stored | None = None
    lease: Lease | None = None
    remote: Remote | None = None


class SharedAnswers(Protocol):
    """What replicas share. While it is out of reach, its methods find nothing and keep nothing."""

    @property
    def without(self) -> Literal["local", "open", "closed"] | None:
        """Return what to do without it, while it is out of reach: see `redis.fail.cache`; None while it is there."""

    @property
    def copies(self) -> bool:
        """Say whether each process keeps copies in its own memory."""

    async def get(self, key: str) -> Stored | None:
        """Return an answer that is still kept, fresh or stale."""

    async def look(self, key: str, flight: Flight) -> Looked:
        """Return an answer that is fresh, or else see to it that one replica asks for it: by `flight`, if this one."""

    def put(self, key: str, stored: Stored) -> None:
        """Keep an answer; does not wait for that."""

    def watch(self, shelf: Shelf, tally: Tally) -> None:
        """Take out of `shelf`, which has copies, what any replica was told to forget; add up what `tally` counts."""

    async def view(self) -> SharedView | None:
        """Count what is there; None if it is out of reach."""

    async def remove(self, selection: Selection) -> int:
        """
        Forget the selected answers, everywhere, and return how many they were.

        Raises:
            GatewayError: STATE_UNAVAILABLE, and some of them may be left.
        """


class CacheView(msgspec.Struct, frozen=True):
    """The cache as this process sees it. `shared` is None where nothing is shared, or that is out of reach."""

    store: Literal["memory", "redis"]
    tally: Tally
    shelf: ShelfView
    oldest_s: float | None
    shared: SharedView | None = None


class CacheDesk(Protocol):
    """What the administration asks."""

    async def view(self) -> CacheView:
        """Return how full it is and how well it does."""

    async def remove(self, selection: Selection) -> int:
        """
        Forget the selected answers, everywhere, and return how many they were.

        Raises:
            GatewayError: STATE_UNAVAILABLE where they are shared and that is out of reach; then some may be left.
        """
