"""Events as they happen, and figures of the moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.clock import SystemClock
from app.core.insight import Event, EventsQuery
from app.core.signals import Signal
from app.core.usage import Usage
from app.telemetry.fanout import FanOut
from app.telemetry.live.events import EVENTS, WAITING_MAX, Watching, WatchingAll
from app.telemetry.live.recent import Recent, Window
from app.telemetry.live.stats import figures
from app.telemetry.live.totals import Spread, Totals, spread_of, totals_of
from app.telemetry.metrics import Metrics
from app.telemetry.metrics.gathering import shown
from app.telemetry.metrics.histograms import DURATION_S, Histogram
from app.telemetry.metrics.on_scrape import OnScrape, build
from app.telemetry.workers.answering import Answering
from app.telemetry.workers.directory import place_in
from tests.telemetry.examples import ATTEMPT, ENDED, FELL_BACK, OPENED, SIGNALS, STARTED, ended

# --- events ----------------------------------------------------------------------------------------------------------


class Source:
    """Somebody who has something to say, and what watches it."""

    def __init__(self) -> None:
        self.fan_out = FanOut([])
        self.watching = Watching(self.fan_out, SystemClock())

    def say(self, *signals: Signal) -> None:
        """Say it."""
        for signal in signals:
            self.fan_out(signal)


async def first(events: AsyncGenerator[Event, None], count: int) -> list[Event]:
    """Return the next events."""
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


async def watched(source: Source, query: EventsQuery, signals: tuple[Signal, ...], count: int) -> list[Event]:
    """Return what somebody sees who watches while signals are sent."""
    async with aclosing(source.watching.here(query)) as events:
        seeing = asyncio.ensure_future(first(events, count))
        await asyncio.sleep(0)
        source.say(*signals)
        return await seeing


async def test_a_watcher_sees_what_happens() -> None:
    """Each event has the name and the fields of the log; what the log does not tell is told as well."""
    seen = await watched(Source(), EventsQuery(), (STARTED, ATTEMPT), 2)

    assert [event.name for event in seen] == ["request_started", "attempt_ended"]
    told = msgspec.json.decode(seen[1].body)
    assert told.pop("timestamp").endswith("Z")
    assert told == {"request_id": "req_1", "provider": "openai", "model": "gpt-4o-mini", "outcome": "completed"}


async def test_every_signal_can_be_watched() -> None:
    """None breaks the watching."""
    seen = await watched(Source(), EventsQuery(), SIGNALS, len(SIGNALS))

    assert all(msgspec.json.decode(event.body)["timestamp"] for event in seen)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        (EventsQuery(frozenset({"circuit_opened"})), ["circuit_opened"]),
        (EventsQuery(request_id="req_2"), ["request_completed"]),
        (EventsQuery(frozenset({"fallback_triggered", "request_completed"}), "req_1"), ["fallback_triggered"]),
    ],
)
async def test_a_watcher_sees_what_it_wants(query: EventsQuery, names: list[str]) -> None:
    """By name, by request, or both."""
    signals = (STARTED, FELL_BACK, ended(request_id="req_2"), OPENED)

    seen = await watched(Source(), query, signals, len(names))

    assert [event.name for event in seen] == names


async def test_nobody_listens_when_nobody_watches() -> None:
    """A watcher that leaves is forgotten."""
    source = Source()

    await watched(source, EventsQuery(), (STARTED,), 1)

    assert source.fan_out.listeners == ()


async def test_who_reads_too_slowly_is_told_what_was_missed() -> None:
    """The memory of a watcher is bounded, and the gap is no secret."""
    source = Source()
    async with aclosing(source.watching.here(EventsQuery())) as events:
        seeing = asyncio.ensure_future(first(events, WAITING_MAX + 1))
        await asyncio.sleep(0)
        source.say(*[STARTED] * (WAITING_MAX + 7))

        seen = await seeing

    assert seen[-1].name == "events_missed"
    assert msgspec.json.decode(seen[-1].body)["missed"] == 7


async def test_a_watcher_sees_all_workers(tmp_path: Path) -> None:
    """Also one that comes later; one that goes is no loss to the others."""
    mine, theirs, late = (Source() for _ in range(3))
    me, friend, latecomer = (place_in(tmp_path) for _ in range(3))
    watching = WatchingAll(mine.watching, me, SystemClock())
    seen: list[str] = []
    note = seen.append

    async def see() -> None:
        async with aclosing(watching.everywhere(EventsQuery())) as events:
            async for event in events:
                note(event.name)

    async with Answering(friend, {EVENTS: theirs.watching.answer}):
        seeing = asyncio.ensure_future(see())
        await _until(lambda: theirs.say(STARTED), lambda: "request_started" in seen)
        mine.say(FELL_BACK)
        await _until(lambda: None, lambda: "fallback_triggered" in seen)
    async with Answering(latecomer, {EVENTS: late.watching.answer}):
        await _until(lambda: late.say(OPENED), lambda: "circuit_opened" in seen)
    seeing.cancel()
    await asyncio.wait([seeing])


async def _until(again: object, happened: object) -> None:
    assert callable(again)
    assert callable(happened)
    async with asyncio.timeout(60):
        while not happened():
            again()
            await asyncio.sleep(0.02)


# --- figures ---------------------------------------------------------------------------------------------------------


@settings(deadline=None)  # a busy machine is no failure
@given(st.lists(st.floats(min_value=0.0, max_value=300.0), min_size=1), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_lies_in_the_right_bucket(values: list[float], share: float) -> None:
    """It is as exact as buckets allow: the true value has the same bounds around it."""
    histogram = Histogram(DURATION_S)
    for value in values:
        histogram.observe(value)

    found = spread_of(histogram.read()).percentile(share)

    assert found is not None
    true = sorted(values)[max(0, -(-int(share * 1000) * len(values) // 1000) - 1)]
    bucket = next(index for index, bound in enumerate(DURATION_S) if true <= bound)
    low = DURATION_S[bucket - 1] if bucket else 0.0
    assert low - 1e-9 <= found <= DURATION_S[bucket] + 1e-9


def test_of_nothing_there_is_no_percentile() -> None:
    """And beyond the last bound nothing is known but the bound."""
    assert Spread((1.0, 2.0), (0, 0, 0)).percentile(0.5) is None
    assert Spread((1.0, 2.0), (0, 0, 5)).percentile(0.5) == 2.0


def metrics_of(*signals: Signal) -> Metrics:
    """Return the counters of a worker that has heard `signals`."""
    metrics = Metrics()
    for signal in signals:
        metrics(signal)
    return metrics


def test_totals_tell_faults_from_refusals_and_clients_that_left() -> None:
    """Whose fault it was is what an operator wants to know first."""
    metrics = metrics_of(
        ENDED, ended(outcome="failed", status=503), ended(outcome="failed", status=429), ended(outcome="abandoned")
    )

    totals = totals_of(shown(metrics.parts))

    assert (totals.calls, totals.failed, totals.refused, totals.left) == (4, 1, 1, 1)
    assert totals.prompt_tokens == 4 * 12
    assert sum(totals.durations.counts) == 4


def test_what_happened_in_between_is_a_difference() -> None:
    """Adding what came later to what was before gives what is."""
    before = totals_of(shown(metrics_of(ENDED).parts))
    after = totals_of(shown(metrics_of(ENDED, ENDED, ended(status=503)).parts))

    assert before + (after - before) == after
    assert (after - before).calls == 2


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        """Return the time."""
        return self.time

    def wall(self) -> float:
        """Return the time."""
        return self.time

    async def sleep(self, seconds: float) -> None:
        """Let time pass, and others do their work."""
        self.time += seconds
        await asyncio.sleep(0)


async def test_windows_end_now() -> None:
    """Each tells of its own length; before a gateway is that old, of its whole life."""
    clock, totals = Hands(), Totals()
    recent = Recent(lambda: totals, clock)

    async with recent:
        totals = Totals(calls=1)
        for _ in range(10):
            await asyncio.sleep(0)
        totals = Totals(calls=10)
        windows = recent.windows()
        age = clock.time - 1000.0

    assert [window.totals.calls for window in windows] == [9, 10, 10]
    assert 10.0 <= windows[0].seconds <= 15.0
    assert windows[1].seconds == windows[2].seconds == age


def test_windows_of_workers_add_up() -> None:
    """Calls are summed; the time is the same time."""
    one, other = Window(10.0, Totals(calls=3)), Window(8.0, Totals(calls=4))

    assert one + other == Window(10.0, Totals(calls=7))


def test_figures_show_what_the_metrics_count() -> None:
    """Whole numbers are whole, targets are in the order of their calls, and what is not there is left out."""
    metrics = metrics_of(*SIGNALS, ended(target_model="big"), ended(target_model="big", status=503, outcome="failed"))
    windows = [Window(10.0, Totals(calls=20, failed=5, prompt_tokens=30))] * 3

    found = msgspec.json.decode(
        msgspec.json.encode(figures([*shown([OnScrape(build, "1.2.3"), *metrics.parts])], windows))
    )

    assert (found["version"], found["workers"]) == ("1.2.3", 1)
    assert found["calls"]["total"] == 4
    assert found["calls"]["by_status"] == {"200": 2, "400": 1, "503": 1}
    assert found["circuits"] == {"openai": "open"}
    assert found["recent"]["60s"]["calls_per_s"] == 2.0
    assert found["recent"]["60s"]["failed_ratio"] == 0.25
    assert found["targets"][0] | {"duration_ms": None} == {
        "provider": "openai",
        "model": "big",
        "calls": 2,
        "failed": 1,
        "duration_ms": None,
        "first_token_ms": {"p50": None, "p95": None, "p99": None},
    }
    assert "process" not in found


def test_figures_of_a_gateway_that_did_nothing_yet() -> None:
    """Nothing is divided by nothing."""
    found = figures(shown(Metrics().parts), [Window(0.001, Totals())] * 3)

    assert found["targets"] == []
    assert Usage() == Usage(0, 0, 0)
