"""The metrics of the cache."""

from __future__ import annotations

from app.core.caching.ports import ShelfView, Tally
from app.telemetry.metrics.on_scrape import OnScrape, cache


def values(part: OnScrape) -> dict[str, float]:
    """Return each metric's only value."""
    return {family.name: family.rows[0][1] for family in part.families()}  # type: ignore[misc]


def test_they_are_those_of_the_contract() -> None:
    """What was counted and how full the memory is, without labels."""
    part = OnScrape(cache, Tally(7, 5, 3, 2, 1), lambda: ShelfView(4, 1000, 4096, 9999, 6))

    assert part.counts() == ()
    assert values(part) == {
        "wizard_cache_hits": 7,
        "wizard_cache_stale_hits": 1,
        "wizard_cache_misses": 5,
        "wizard_cache_coalesced": 3,
        "wizard_cache_bypassed": 2,
        "wizard_cache_evictions": 6,
        "wizard_cache_entries": 4,
        "wizard_cache_capacity": 1000,
        "wizard_cache_bytes": 4096,
        "wizard_cache_capacity_bytes": 9999,
    }


def test_without_a_cache_all_are_zero() -> None:
    """The same names are there at any time."""
    assert set(values(OnScrape(cache, Tally(), lambda: None)).values()) == {0}
