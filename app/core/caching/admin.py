"""What an operator may see of the cache, and do to it."""

from __future__ import annotations

from typing import Literal, Protocol

import msgspec

from app.core.caching.ports import SharedView, ShelfView
from app.core.caching.stored import Selection
from app.core.caching.tally import Tally


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
        ...

    async def remove(self, selection: Selection) -> int:
        """
        Forget the selected answers, everywhere, and return how many they were.

        Raises:
            GatewayError: STATE_UNAVAILABLE where they are shared and that is out of reach; then some may be left.
        """
        ...
