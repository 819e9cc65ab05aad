"""What the cache did for calls is counted, each call once."""

from __future__ import annotations

import pytest

from app.core.caching.ports import CacheOutcome, Tally


@pytest.mark.parametrize(
    ("outcome", "stale", "counted"),
    [
        ("hit", False, Tally(hits=1)),
        ("hit", True, Tally(hits=1, stale=1)),
        ("miss", False, Tally(misses=1)),
        ("coalesced", False, Tally(coalesced=1)),
        ("bypass", False, Tally(bypassed=1)),
    ],
)
def test_each_outcome_has_its_number(outcome: CacheOutcome, stale: bool, counted: Tally) -> None:
    """A stale hit is a hit as well, and nothing is counted twice."""
    tally = Tally()

    tally.count(outcome, stale=stale)

    assert tally == counted


def test_counts_add_up() -> None:
    """Each call is one more."""
    tally = Tally()

    for outcome in ("hit", "hit", "miss", "miss", "coalesced", "coalesced", "bypass", "bypass"):
        tally.count(outcome, stale=outcome == "hit")

    assert tally == Tally(hits=2, misses=2, coalesced=2, bypassed=2, stale=2)
