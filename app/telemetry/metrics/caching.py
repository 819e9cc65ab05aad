"""Shows how well the cache does; the cache itself counts, as that costs a call less than a signal."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from app.core.caching.ports import ShelfView, Tally
from app.telemetry.metrics.asked import Asked
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily

_EMPTY = ShelfView(0, 0, 0, 0, 0)


class CacheCounts(Asked):
    """
    What was counted since the start, and how full the memory of this process is.

    Args:
        shelf: How full; None as long as there is no cache.
    """

    def __init__(self, tally: Tally, shelf: Callable[[], ShelfView | None]) -> None:
        self._tally = tally
        self._shelf = shelf

    def families(self) -> Iterator[Family]:
        """Yield the numbers."""
        tally, shelf = self._tally, self._shelf() or _EMPTY
        yield _counter("wizard_cache_hits", "Calls answered from the cache.", tally.hits)
        yield _counter("wizard_cache_stale_hits", "Calls answered from the cache with an old answer.", tally.stale)
        yield _counter("wizard_cache_misses", "Calls for which the cache had nothing.", tally.misses)
        yield _counter("wizard_cache_coalesced", "Calls that got the answer to another one.", tally.coalesced)
        yield _counter("wizard_cache_bypassed", "Calls that the cache had no say in.", tally.bypassed)
        yield _counter("wizard_cache_evictions", "Stored answers that had to go before their time.", shelf.evicted)
        yield _gauge("wizard_cache_entries", "Stored answers in memory.", shelf.entries)
        yield _gauge("wizard_cache_capacity", "Most answers that memory may hold.", shelf.entries_max)
        yield _gauge("wizard_cache_bytes", "Bytes of the stored answers in memory.", shelf.bytes)
        yield _gauge("wizard_cache_capacity_bytes", "Most bytes that they may have.", shelf.bytes_max)


def _counter(name: str, text: str, value: int) -> CounterFamily:
    return CounterFamily(name, text, (), [((), value)])


def _gauge(name: str, text: str, value: int) -> GaugeFamily:
    return GaugeFamily(name, text, (), [((), value)])
