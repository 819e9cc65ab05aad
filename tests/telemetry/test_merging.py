"""Families of several workers become those of one gateway, and the dead are not forgotten."""

from __future__ import annotations

from pathlib import Path

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Summary

from app.telemetry.metrics import Metrics
from app.telemetry.metrics.collector import render
from app.telemetry.metrics.families import CounterFamily, Family, GaugeFamily, HistogramFamily, Merge, Sampled
from app.telemetry.metrics.gathering import shown
from app.telemetry.metrics.histograms import DURATION_S, Histogram, MarkedHistogram, Reading
from app.telemetry.metrics.merging import lasting, merged
from app.telemetry.metrics.on_scrape import foreign, foreign_registry
from app.telemetry.metrics.retired import KeptCounts, encoded
from tests.telemetry.examples import ENDED, SIGNALS, STARTED, ended

LABELS = st.sampled_from([("a",), ("b",), ("c",)])
VALUES = st.lists(st.floats(min_value=0, max_value=400, allow_nan=False), max_size=20)


def counter(*rows: tuple[str, float]) -> CounterFamily:
    """Return a counter with one label."""
    return CounterFamily("c", "text", ("label",), [((label,), value) for label, value in rows])


def gauge(value: float, merge: Merge) -> GaugeFamily:
    """Return a gauge without labels."""
    return GaugeFamily("g", "text", (), [((), value)], merge)


def test_counters_add_up_by_their_labels() -> None:
    """Each set of labels is one row, whichever workers have it."""
    (found,) = merged([[counter(("a", 1), ("b", 2))], [counter(("b", 3), ("c", 4))]])

    assert found == counter(("a", 1), ("b", 5), ("c", 4))


def test_gauges_follow_their_rule() -> None:
    """Shares are added; of what all look at, the worst or the first counts."""
    found = {merge: merged([[gauge(2, merge)], [gauge(5, merge)]]) for merge in Merge}

    assert found == {
        Merge.SUM: [gauge(7, Merge.SUM)],
        Merge.MAX: [gauge(5, Merge.MAX)],
        Merge.MIN: [gauge(2, Merge.MIN)],
    }


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES, VALUES)
def test_histograms_add_up_as_if_one_had_seen_all(some: list[float], others: list[float]) -> None:
    """Where a value was observed makes no difference."""
    mine, yours, one = Histogram(DURATION_S), Histogram(DURATION_S), Histogram(DURATION_S)
    for value in some:
        mine.observe(value)
        one.observe(value)
    for value in others:
        yours.observe(value)
        one.observe(value)

    both, whole = mine.read().plus(yours.read()), one.read()

    assert both.cumulative == whole.cumulative
    assert abs(both.total - whole.total) < 1e-6


def test_examples_survive_the_sum() -> None:
    """A bucket keeps an example if either has one."""
    mine, yours = MarkedHistogram((1.0,)), MarkedHistogram((1.0,))
    mine.mark(0.5, "req_1", "")
    yours.mark(2.0, "req_2", "")

    both = mine.read().plus(yours.read())

    assert [mark and mark.request_id for mark in both.marks] == ["req_1", "req_2"]


def test_other_bounds_are_of_another_version_and_not_added() -> None:
    """Nothing is invented where two histograms do not fit together."""
    mine, yours = Reading((1.0,), (1, 1), 0.5), Reading((2.0,), (1, 1), 0.5)

    assert mine.plus(yours) == mine


def test_families_of_different_types_are_not_mixed() -> None:
    """A name that changed its type between versions is shown as the first worker has it."""
    other = GaugeFamily("c", "text", ("label",), [(("a",), 9)])

    assert merged([[counter(("a", 1))], [other]]) == [counter(("a", 1))]


def test_only_totals_outlive_a_worker() -> None:
    """Active requests of a dead worker are not active; what it counted was counted."""
    histogram = HistogramFamily("h", "text", (), [((), Histogram((1.0,)).read())])
    total = Sampled("s", "text", "counter", [("s_total", (), 1.0)])
    state = Sampled("t", "text", "gauge", [("t", (), 1.0)])

    assert lasting([counter(("a", 1)), gauge(1, Merge.SUM), histogram, total, state]) == [
        counter(("a", 1)),
        histogram,
        total,
    ]


def test_metrics_of_others_are_told_by_their_samples() -> None:
    """Counters, gauges and summaries of prometheus_client are added; the times of their making are left out."""
    shown_twice = []
    for amount in (1, 2):
        registry = foreign_registry()
        Counter("seen", "text", ["who"], registry=registry).labels("me").inc(amount)
        Gauge("depth", "text", registry=registry).set(amount)
        Summary("size", "text", registry=registry).observe(amount)
        shown_twice.append(list(foreign(registry)))

    _, body = render(merged(shown_twice), "")

    text = body.decode()
    assert 'seen_total{who="me"} 3.0' in text
    assert "depth 3.0" in text
    assert "size_sum 3.0" in text
    assert "process_cpu_seconds_total" in text
    assert "_created" not in text


def test_families_travel_unchanged() -> None:
    """What one worker tells another is what it shows itself."""
    metrics = Metrics()
    for signal in SIGNALS:
        metrics(signal)
    families = shown(metrics.parts)

    assert msgspec.msgpack.decode(encoded(families), type=list[Family]) == families


def counts_of(*signals: object) -> bytes:
    """Return what a worker keeps that has seen `signals`."""
    metrics = Metrics()
    for signal in signals:
        metrics(signal)  # type: ignore[arg-type] # whatever the test gives
    return encoded(shown(metrics.parts))


def calls_in(families: list[Family]) -> float:
    """Return how many calls were counted."""
    found = {family.name: family for family in families}.get("wizard_requests")
    return sum(value for _, value in found.rows) if isinstance(found, CounterFamily) else 0


def test_of_open_files_the_fullest_worker_counts() -> None:
    """Each has a limit of its own: a sum would hide one that is full behind others that are not."""

    def worker(used: float, limit: float) -> list[Family]:
        registry = CollectorRegistry()
        Gauge("process_open_fds", "text", registry=registry).set(used)
        Gauge("process_max_fds", "text", registry=registry).set(limit)
        return list(foreign(registry))

    found = merged([worker(90, 100), worker(10, 200)])

    assert [row for family in found if isinstance(family, Sampled) for row in family.rows] == [
        ("process_open_fds", (), 90),
        ("process_max_fds", (), 100),
    ]


def test_the_dead_are_added_up_once(tmp_path: Path) -> None:
    """Whoever looks first adds the dead to the totals; whoever looks next finds them there, and only there."""
    kept = KeptCounts(tmp_path)
    kept.write("1-a", counts_of(STARTED, ENDED))
    kept.write("2-b", counts_of(STARTED, ENDED, ended(status=503)))
    kept.write("3-c", counts_of(ENDED))

    first = kept.retire(frozenset({"3-c"}))
    second = KeptCounts(tmp_path).retire(frozenset({"3-c"}))
    third = kept.retire(frozenset())

    assert first == second
    assert first.names == {"1-a", "2-b"}
    assert [calls_in(found.families) for found in (first, second, third)] == [3, 3, 4]
    assert kept.read("1-a") == []


def test_the_dead_count_also_while_nothing_can_be_written(tmp_path: Path) -> None:
    """A full disk loses no total: those of the newly dead are added to the old ones each time, and kept later."""
    kept = KeptCounts(tmp_path)
    kept.write("1-a", counts_of(ENDED))
    kept.retire(frozenset())
    kept.write("2-b", counts_of(ENDED, ENDED))
    (tmp_path / "retired.new").mkdir()  # where it would be written

    full = [kept.retire(frozenset()) for _ in range(2)]
    (tmp_path / "retired.new").rmdir()
    free = kept.retire(frozenset())

    assert [calls_in(found.families) for found in (*full, free)] == [3, 3, 3]
    assert kept.lost == 2
    assert not list(tmp_path.glob("*.counts"))


def test_a_crash_in_the_middle_of_it_counts_nobody_twice(tmp_path: Path) -> None:
    """A file that is still there although its counts are in the totals is only removed."""
    kept = KeptCounts(tmp_path)
    kept.write("1-a", counts_of(ENDED))
    before = kept.retire(frozenset())
    kept.write("1-a", counts_of(ENDED))

    after = kept.retire(frozenset())

    assert after == before
    assert not list(tmp_path.glob("*.counts"))
