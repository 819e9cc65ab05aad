"""What is remembered of the targets."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.traffic.loads import (
    DECAY_S,
    FAILURE_MAX_S,
    FAILURE_S,
    KNOWN_MIN,
    UNKNOWN_S,
    Load,
    Loads,
    PeakEwma,
    Recent,
)
from app.core.traffic.memory import Slots

NOW = 5_000.0
seconds = st.floats(0.001, 300.0)


def test_nothing_is_known_at_first() -> None:
    """Before its first value the average is no number."""
    assert PeakEwma().read(NOW) is None


def test_a_peak_counts_at_once() -> None:
    """A slower answer than expected is believed in full."""
    average = PeakEwma()
    average.add(0.5, NOW)

    average.add(4.0, NOW)

    assert average.read(NOW) == 4.0


def test_a_better_value_counts_by_the_time_passed() -> None:
    """After `DECAY_S` the old value has kept 1/e of its share."""
    average = PeakEwma()
    average.add(4.0, NOW)

    average.add(1.0, NOW + DECAY_S)

    kept = math.exp(-1)
    assert average.read(NOW + DECAY_S) == pytest.approx(4.0 * kept + 1.0 * (1.0 - kept))


def test_silence_forgets() -> None:
    """Without traffic the estimate sinks, so that a target that was slow gets another chance."""
    average = PeakEwma()
    average.add(4.0, NOW)

    assert average.read(NOW + DECAY_S) == pytest.approx(4.0 / math.e)
    assert average.read(NOW + 20 * DECAY_S) == pytest.approx(0.0, abs=1e-6)


@given(st.lists(st.tuples(seconds, st.floats(0.0, 60.0)), min_size=1))
def test_the_average_never_exceeds_what_was_seen(values: list[tuple[float, float]]) -> None:
    """Whatever comes in whatever rhythm, the estimate stays between zero and the worst value."""
    average, now = PeakEwma(), NOW

    for value, pause in values:
        now += pause
        average.add(value, now)

    worst = max(value for value, _ in values)
    found = average.read(now - 1.0)
    assert found is not None
    assert 0.0 <= found <= worst * (1.0 + 1e-9)


def test_streams_and_whole_answers_are_apart() -> None:
    """The time to a first token says nothing about the time to a whole answer."""
    load = Load()

    load.answered(0.25, stream=True, now=NOW)

    assert load.latency_s(stream=True, now=NOW) == 0.25
    assert load.latency_s(stream=False, now=NOW) is None


@pytest.mark.parametrize(
    ("known", "after_s", "estimate"),
    [
        (None, 0.01, FAILURE_S),
        (1.0, 0.01, FAILURE_S),
        (20.0, 0.01, 40.0),
        (1.0, 60.0, 60.0),
        (200.0, 1.0, FAILURE_MAX_S),
    ],
)
def test_failing_fast_is_not_being_fast(known: float | None, after_s: float, estimate: float) -> None:
    """A failure makes a target look slow, slower than it was, within bounds."""
    load = Load()
    if known is not None:
        load.answered(known, stream=False, now=NOW)

    load.failed(after_s, stream=False, now=NOW)

    assert load.latency_s(stream=False, now=NOW) == estimate


@pytest.mark.parametrize(
    ("known", "waited_s", "estimate"),
    [(None, UNKNOWN_S, None), (None, 5.0, 5.0), (2.0, 1.5, 2.0), (2.0, 2.5, 2.5)],
)
def test_waiting_in_vain_only_raises_the_estimate(known: float | None, waited_s: float, estimate: float | None) -> None:
    """A caller who gives up tells that it takes longer than that; one who gives up early tells nothing."""
    load = Load()
    if known is not None:
        load.answered(known, stream=True, now=NOW)

    load.waited(waited_s, stream=True, now=NOW)

    assert load.latency_s(stream=True, now=NOW) == estimate


def answered(load: Load, count: int, *, stream: bool = True) -> None:
    """Note answers that took 1, 2, 3, ... seconds."""
    for number in range(count):
        load.answered(number + 1.0, stream=stream, now=NOW)


@pytest.mark.parametrize(("count", "found"), [(KNOWN_MIN - 1, None), (KNOWN_MIN, 19.0), (100, 95.0), (130, 125.0)])
def test_the_usual_time_is_learned_from_the_last_hundred(count: int, found: float | None) -> None:
    """Too few answers tell nothing; the percentile is a time that really was, among the last hundred."""
    load = Load()

    answered(load, count)

    assert load.percentile_s(0.95, stream=True) == found
    assert load.percentile_s(0.95, stream=False) is None


@pytest.mark.parametrize(("waited_s", "found"), [(9.0, 19.0), (10.0, 19.0), (50.0, 50.0)])
def test_waits_in_vain_count_where_they_say_slow(waited_s: float, found: float) -> None:
    """Slow answers that were given up move the percentile up; callers who left early do not move it down."""
    load = Load()
    answered(load, 20)

    for _ in range(2):
        load.waited(waited_s, stream=True, now=NOW)

    assert load.percentile_s(0.95, stream=True) == found


def test_waits_alone_teach_nothing() -> None:
    """Neither callers who left nor failures say how long an answer takes."""
    load = Load()

    for _ in range(50):
        load.waited(5.0, stream=True, now=NOW)
        load.failed(5.0, stream=True, now=NOW)

    assert load.percentile_s(0.95, stream=True) is None


@given(st.lists(seconds, min_size=KNOWN_MIN, max_size=100), st.floats(0.5, 0.99))
def test_a_percentile_is_not_exceeded_by_its_share(values: list[float], share: float) -> None:
    """At least that share of the values is no larger, and it is the smallest such value."""
    recent = Recent()

    for value in values:
        recent.add(value)

    found = recent.percentile(share)
    assert found is not None
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_reliability_follows_the_outcomes() -> None:
    """It starts at one, sinks with failures, rises with successes, and stays between zero and one."""
    load, seen = Load(), []

    for good in [False] * 50 + [True] * 50:
        load.judge(good=good)
        seen.append(load.reliability)

    assert seen[0] == pytest.approx(0.9)
    assert seen[49] < 0.01
    assert seen[99] > 0.99
    assert all(0.0 <= value <= 1.0 for value in seen)


def test_a_target_keeps_its_load() -> None:
    """Whoever asks for a target's load gets the same one."""
    loads = Loads()

    loads.of("acme/small").in_flight += 1

    assert loads.of("acme/small").in_flight == 1
    assert loads.seen("acme/small").in_flight == 1
    assert loads.of("acme/large").in_flight == 0


def test_looking_makes_no_entry() -> None:
    """A load that was only looked at is not kept."""
    loads = Loads()

    loads.seen("acme/small").in_flight += 1

    assert loads.seen("acme/small").in_flight == 0


def test_the_table_forgets_idle_targets_first() -> None:
    """Naming ever new models ends in forgetting idle ones, never those with calls in flight."""
    loads = Loads()
    loads.of("acme/busy").in_flight += 1
    loads.of("acme/idle").judge(good=False)

    for number in range(4096):
        loads.of(f"acme/{number}")

    assert loads.seen("acme/busy").in_flight == 1
    assert loads.seen("acme/idle").reliability == 1.0


def test_a_full_table_does_not_keep_one_more() -> None:
    """If everything in the table has calls in flight, the newest is not kept until it has."""
    loads = Loads()
    for number in range(4096):
        loads.of(f"acme/{number}").in_flight += 1

    loads.of("acme/new").judge(good=False)

    assert loads.seen("acme/new").reliability == 1.0
    assert loads.seen("acme/0").in_flight == 1


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans())), st.integers(1, 4))
def test_slots_are_never_more_than_allowed(steps: list[tuple[str, bool]], most: int) -> None:
    """Whatever is taken and given back in whatever order, no name has more places in use than its bound."""
    slots, used = Slots(), {"a": 0, "b": 0}

    for name, take in steps:
        if take:
            taken = slots.take(name, most)
            assert taken == (used[name] < most)
            used[name] += taken
        elif used[name]:
            slots.give_back(name)
            used[name] -= 1

    assert all(count <= most for count in used.values())


def test_only_judged_targets_have_a_score() -> None:
    """A target that was looked at, or is asked for the first time, has not told anything yet."""
    loads = Loads()
    loads.of("acme/new")
    loads.of("acme/good").judge(good=True)
    loads.of("acme/bad").judge(good=False)

    assert loads.reliabilities() == [("acme/good", 1.0), ("acme/bad", 0.9)]
