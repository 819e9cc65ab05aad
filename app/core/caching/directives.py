"""The cache directives of a call: from `cache-control` and from the gateway's own options."""

from __future__ import annotations

import msgspec

from app.core.caching.semantic import Meaning
from app.core.caching.stored import Stored
from app.core.call import CallOptions


class Directives(msgspec.Struct, frozen=True):
    """
    The cache key and directives of a call.

    `reads`: it accepts a stored answer; `stores`: its answer may be stored; `stored_only`: it accepts nothing but a
    stored answer. `ttl_s` overrides how long its answer stays fresh. A stored answer may be at most `max_age_s` old.
    `meaning` is what similar questions are found by (None: only exact matches), `similarity` the least accepted.
    """

    key: str
    reads: bool = True
    stores: bool = True
    stored_only: bool = False
    max_age_s: int | None = None
    ttl_s: float | None = None
    meaning: Meaning | None = None
    similarity: float | None = None

    @property
    def shares(self) -> bool:
        """Return whether the call may share the upstream call of another one."""
        return self.reads and self.stores and self.max_age_s is None and not self.stored_only

    def accepts(self, stored: Stored, wall_s: float) -> bool:
        """Return whether a stored answer is fresh, and not older than the call allows."""
        age_s = stored.age_s(wall_s)
        return age_s < stored.fresh_s and (self.max_age_s is None or age_s <= self.max_age_s)


def declines(options: CallOptions) -> bool:
    """Return whether a call bypasses the cache."""
    return not options.caching or "no-store" in options.directives


def asked_for(key: str, options: CallOptions, meaning: Meaning | None = None) -> Directives:
    """Return the directives of a call that does not bypass the cache."""
    directives, ttl_s = options.directives, options.cache_ttl_s
    if not directives and ttl_s is None and meaning is None:
        return Directives(key)  # as nearly all calls
    max_age_s = directives.get("max-age")
    return Directives(
        key=key,
        reads="no-cache" not in directives and max_age_s != 0,
        stores=ttl_s != 0,
        stored_only="only-if-cached" in directives,
        max_age_s=max_age_s,
        ttl_s=ttl_s or None,
        meaning=meaning,
        similarity=options.cache_similarity,
    )
