"""Which buckets this process has used, for the eyes of an operator, and how full shared ones were."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.rules import Ask, Claim, Decision

SEEN_MAX = 512  # any user or session has buckets of its own; an operator needs a glance, not all of them
LEVELS_MAX = 10_000  # some 2 MB


class Seen:
    """The newest of the buckets that were asked for."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[str, Claim]] = {}

    def note(self, ask: Ask) -> None:
        """Take note of the buckets of one call."""
        for claim in ask.claims:
            if claim.bucket not in self._claims:
                self._claims[claim.bucket] = (ask.slot, claim)
                if len(self._claims) > SEEN_MAX:
                    del self._claims[next(iter(self._claims))]

    def all(self) -> Iterator[tuple[str, Claim]]:
        """Iterate over slot and claim of each."""
        yield from self._claims.values()

    def by_slot(self) -> dict[str, list[Claim]]:
        """Return them by their slot."""
        found: dict[str, list[Claim]] = {}
        for slot, claim in self._claims.values():
            found.setdefault(slot, []).append(claim)
        return found


class Levels:
    """How full shared buckets were when this process last heard of them, for the time when it is alone."""

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
