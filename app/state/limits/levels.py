"""How full shared buckets were when this process last heard of them, for the time when it is alone."""

from __future__ import annotations

from app.core.rules import Decision

LEVELS_MAX = 10_000  # some 2 MB


class Levels:
    """When each bucket will be empty, if nobody touches it."""

    def __init__(self) -> None:
        self._empty_at: dict[str, int] = {}

    def note(self, decision: Decision, now_us: int) -> None:
        """Take note of the buckets of one call."""
        for standing in decision.standings:
            if standing.claim.rule.rate is not None:
                self._empty_at[standing.claim.bucket] = now_us + standing.used
        while len(self._empty_at) > LEVELS_MAX:
            del self._empty_at[next(iter(self._empty_at))]

    def take(self, bucket: str, now_us: int) -> int:
        """Return how much work must be in a bucket by now, if nobody touched it; 0 once that was told."""
        return max(0, self._empty_at.pop(bucket, now_us) - now_us)
