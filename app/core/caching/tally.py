"""How often the cache had what was asked for."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

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
