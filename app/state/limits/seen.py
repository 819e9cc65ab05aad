"""Which buckets this process has used, for the eyes of an operator."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.rules import Ask, Claim

SEEN_MAX = 512  # any user or session has buckets of its own; an operator needs a glance, not all of them


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
