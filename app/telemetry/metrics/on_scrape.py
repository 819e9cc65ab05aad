"""Metrics that are read at each scrape instead of counted: a function for each topic, shown by a part `OnScrape`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, ParamSpec

from prometheus_client import CollectorRegistry, ProcessCollector

from app.core.caching.ports import ShelfView, Tally
from app.core.health import Checked
from app.core.provider_keys import KeyState
from app.core.rules import Measure
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, Merge, Rows, Sampled
from app.telemetry.metrics.part import Counted

P = ParamSpec("P")
_NO_SHELF: Final = ShelfView(0, 0, 0, 0, 0)
_CREATED: Final = "_created"  # start times, which have no meaning for a sum of workers
_REASONS: Final = ("died", "hung", "failed", "requests", "memory")  # why workers are replaced
_MERGED: Final[Mapping[str, Merge]] = MappingProxyType(
    {
        "process_start_time_seconds": Merge.MIN,
        "process_open_fds": Merge.MAX,  # limits are per process: show the worker closest to its limit
        "process_max_fds": Merge.MIN,
    }
)


class OnScrape:
    """A part that counts no signals: its families are those that a function yields for these arguments."""

    def __init__(self, asking: Callable[P, Iterator[Family]], *args: P.args, **kwargs: P.kwargs) -> None:
        self.families: Callable[[], Iterator[Family]] = partial(asking, *args, **kwargs)

    def counts(self) -> Iterable[Counted]:
        """Count nothing."""
        return ()


def build(version: str) -> Iterator[Family]:
    """Yield the gateway's version as a label, and the count of this worker, 1."""
    text = "Version of the gateway; the value is always 1."
    yield GaugeFamily("wizard_build_info", text, ("version",), [((version,), 1)], Merge.MAX)
    yield GaugeFamily("wizard_workers", "Worker processes that this shows together.", (), [((), 1)])


def workers_replaced(counts: Callable[[], Mapping[str, int]]) -> Iterator[Family]:
    """Yield how many workers were replaced, by reason. All got the totals from their parent, so the maximum counts."""
    name, text = "wizard_workers_replaced", "Worker processes that were replaced since the gateway started."
    found = counts()
    yield Sampled(
        name,
        text,
        "counter",
        [(f"{name}_total", (("reason", reason),), found.get(reason, 0)) for reason in _REASONS],
        Merge.MAX,
    )


def config_in_use(digest: Callable[[], str]) -> Iterator[Family]:
    """Yield the digest of the configuration as a label; two series mean that processes disagree."""
    text = "Digest of the configuration in use; the value is always 1."
    yield GaugeFamily("wizard_config_info", text, ("digest",), [((digest(),), 1)], Merge.MAX)


def providers_up(views: Callable[[], list[Checked]]) -> Iterator[Family]:
    """Yield a row for each provider with health probes; if workers disagree, the worst counts."""
    found = views()
    text = "Whether a provider is up (1) or down (0), as far as it is asked (providers.<name>.health)."
    up: Rows = [((view.provider,), int(view.up)) for view in found]
    yield GaugeFamily("wizard_provider_up", text, ("provider",), up, Merge.MIN)
    text = "Seconds that the last question took, by which that is found out."
    took: Rows = [((view.provider,), view.took_s) for view in found]
    yield GaugeFamily("wizard_provider_probe_seconds", text, ("provider",), took, Merge.MAX)


def losses(lost: Mapping[str, Callable[[], int]]) -> Iterator[Family]:
    """Yield the losses of telemetry itself, by part (`logs`, `fanout` ...); the functions return totals."""
    rows: Rows = [((part,), total()) for part, total in lost.items()]
    yield CounterFamily("wizard_telemetry_errors", "Log lines and signals that were lost.", ("part",), rows)


def provider_keys(keys: Callable[[], Iterable[tuple[str, KeyState, int]]]) -> Iterator[Family]:
    """Yield the number of provider keys by state. Read, not counted: keys return to service without a signal."""
    yield GaugeFamily(
        "wizard_provider_keys",
        "Keys of providers that have several, by state: usable, cooling (rate limited), disabled (refused).",
        ("provider", "state"),
        [((provider, state.value), count) for provider, state, count in keys()],
        Merge.MAX,
    )


def provider_limits(left: Callable[[], Mapping[tuple[str, Measure], float]]) -> Iterator[Family]:
    """Yield the used share of the limits that providers report, of the model with the least left."""
    yield GaugeFamily(
        "wizard_provider_limit_used_ratio",
        "Share of a provider's own limit that is used, 0 to 1, as it said last.",
        ("provider", "measure"),
        [((provider, measure.value), 1.0 - share) for (provider, measure), share in left().items()],
        Merge.MAX,
    )


def cache(tally: Tally, shelf: Callable[[], ShelfView | None]) -> Iterator[Family]:
    """Yield the cache's counts. The cache counts by itself, which costs a call less than a signal."""
    kept = shelf() or _NO_SHELF
    for name, text, total in (
        ("hits", "Calls answered from the cache.", tally.hits),
        ("stale_hits", "Calls answered from the cache with an old answer.", tally.stale),
        ("misses", "Calls for which the cache had nothing.", tally.misses),
        ("coalesced", "Calls that got the answer to another one.", tally.coalesced),
        ("bypassed", "Calls that the cache had no say in.", tally.bypassed),
        ("evictions", "Stored answers that had to go before their time.", kept.evicted),
    ):
        yield CounterFamily(f"wizard_cache_{name}", text, (), [((), total)])
    for name, text, level in (
        ("entries", "Stored answers in memory.", kept.entries),
        ("capacity", "Most answers that memory may hold.", kept.entries_max),
        ("bytes", "Bytes of the stored answers in memory.", kept.bytes),
        ("capacity_bytes", "Most bytes that they may have.", kept.bytes_max),
    ):
        yield GaugeFamily(f"wizard_cache_{name}", text, (), [((), level)])


def foreign(registry: CollectorRegistry) -> Iterator[Family]:
    """Yield the metrics of prometheus_client's own collectors: the cold routes, and the process."""
    for metric in registry.collect():
        rows = [
            (sample.name, tuple(sample.labels.items()), sample.value)
            for sample in metric.samples
            if not sample.name.endswith(_CREATED)
        ]
        merge = _MERGED.get(metric.name, Merge.SUM)
        yield Sampled(metric.name, metric.documentation, metric.type, rows, merge)


def foreign_registry() -> CollectorRegistry:
    """Return a registry with the CPU time, memory and open files of this process; others may add to it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry
