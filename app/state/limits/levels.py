"""The last known levels of shared buckets, for the time when Redis is out of reach."""

from __future__ import annotations

from app.core.rules import Decision

LEVELS_MAX = 10_000  # some 2 MB


class Levels:
    """The time at which each bucket will be empty, unless it is used."""

    def __init__(self) -> None:
        self._empty_at: dict[str, int] = {}

    def note(self, decision: Decision, now_us: int) -> None:
        """Remember the buckets of one call."""
        for standing in decision.standings:
            if standing.claim.rule.rate is not None:
                self._empty_at[standing.claim.bucket] = now_us + standing.used
        while len(self._empty_at) > LEVELS_MAX:
            del self._empty_at[next(iter(self._empty_at))]

    def take(self, bucket: str, now_us: int) -> int:
        """Return the present level of a bucket, unless it was used elsewhere; 0 at the second call."""
        return max(0, self._empty_at.pop(bucket, now_us) - now_us)
