"""What a call wants of the cache: `cache-control` and the gateway's own wishes, as far as they mean something here."""

from __future__ import annotations

import msgspec

from app.core.caching.semantic import Meaning
from app.core.caching.stored import Stored
from app.core.call import CallOptions


class Directives(msgspec.Struct, frozen=True):
    """
    A call as the cache sees it.

    Without `reads` a stored answer is not good enough; without `stores` none is left behind. `ttl_s` is how long this
    one may be kept, if the call says so. An answer may be at most `max_age_s` old. With `stored_only` nothing but a
    stored answer is wanted. `meaning` is what similar questions are found by, if that is wanted; `similarity` is the
    least that the call accepts.
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
        """Say whether the answer to another call that is under way would do as well."""
        return self.reads and self.stores and self.max_age_s is None and not self.stored_only

    def accepts(self, stored: Stored, wall_s: float) -> bool:
        """Say whether a stored answer is young enough."""
        age_s = stored.age_s(wall_s)
        return age_s < stored.fresh_s and (self.max_age_s is None or age_s <= self.max_age_s)


def declines(options: CallOptions) -> bool:
    """Say whether a call wants nothing to do with the cache."""
    return not options.caching or "no-store" in options.directives


def asked_for(key: str, options: CallOptions, meaning: Meaning | None = None) -> Directives:
    """Return what a call wants that does not decline."""
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
