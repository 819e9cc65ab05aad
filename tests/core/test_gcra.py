"""The arithmetic of rate limits, alone."""

from __future__ import annotations

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.gcra import US_PER_S, YEAR_US, Bucket, Hold, Rate, wait_us
from app.core.rules import Claim, Measure, Rule, Standing
from tests.support.windows import worst_excess

RATES = st.builds(
    Rate.of,
    st.sampled_from([1, 3, 7, 60, 1000, 999_983, 10_000_000]),
    st.sampled_from([1, 0.25, 60, 3600, 2_592_000]),
    st.sampled_from([1, 2, 10, 1000, 123_457]),
)


def test_a_rate_knows_its_work() -> None:
    """Sixty in a minute are a second each; a burst of ten fills a queue of ten seconds."""
    rate = Rate.of(60, 60, 10)

    assert (1_000_000, 5_000_000, 10_000_000) == (rate.charge_us(1), rate.charge_us(5), rate.room_us)
    assert (10, 9, 0) == (rate.left(0), rate.left(1), rate.left(9_000_001))


@given(RATES, st.integers(0, 10**9))
def test_work_is_rounded_against_the_caller(rate: Rate, units: int) -> None:
    """No number of units is cheaper than it should be, and none dearer by more than a microsecond."""
    charge = rate.charge_us(units)

    assert 0 <= charge * rate.amount - units * rate.window_us < rate.amount


@given(RATES, st.integers(1, 50))
def test_the_parts_of_replicas_are_no_more_than_the_whole(rate: Rate, replicas: int) -> None:
    """Together they have the rate, and the burst unless that is smaller than their number."""
    part = rate.shared_by(replicas)

    assert part.burst * replicas <= max(rate.burst, replicas)
    assert (part.amount, part.window_us) == (rate.amount, rate.window_us * replicas)


def test_a_year_is_the_most_that_anybody_owes() -> None:
    """A provider that claims to have used more tokens than there are locks nobody out for good."""
    rate = Rate.of(60, 60, 60)
    rule = Rule("tokens", Measure.TOKENS, 60, rate)
    standing = Standing(Claim(rule, "b", 1, rate.charge_us(1)), 0, 0, Hold(0, 0, 0))

    assert YEAR_US == standing.settle(10**30)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    """Nor does one that stands still."""
    rate = Rate.of(1, 1, 2)
    bucket = Bucket(100, 0, 100)
    holds = [bucket.take(100, rate.charge_us(1), rate.room_us) for _ in range(3)]

    waits = [wait_us(bucket.used_us(now), rate.charge_us(1), rate.room_us) for now in (100, 50)]

    assert [True, True, False] == [hold is not None for hold in holds]
    assert [US_PER_S, US_PER_S + 50] == waits


def test_a_bucket_made_anew_gives_nothing_back() -> None:
    """What was taken from the one before is none of its business; what is owed is."""
    old = Bucket(0, 0, 0).take(0, 1000, YEAR_US)
    assert old is not None
    bucket = Bucket(10, 0, 10)
    bucket.take(10, 500, YEAR_US)

    bucket.settle(10, old, -1000)
    unchanged = bucket.served_us
    bucket.settle(10, old, 100)

    assert (510, 610) == (unchanged, bucket.served_us)


CALLS = st.tuples(
    st.sampled_from([0, 1, 5, 10, 20, 40]),  # seconds that pass before
    st.sampled_from([10, 50, 90, 100]),  # units that are reserved
    st.sampled_from([0, 50, 100]),  # percent of them that are needed in the end
    st.integers(0, 6),  # how many calls later that is known
)


class _Open(msgspec.Struct):
    """A call whose end is not known yet: its place in the history, when it ends, and what it holds."""

    place: int
    ends: int
    hold: Hold
    reserved: int
    needed: int


@settings(deadline=None, max_examples=1500)
@given(st.lists(CALLS, max_size=30))
def test_no_window_ever_holds_more_than_it_may(calls: list[tuple[int, int, int, int]]) -> None:
    """Whatever is reserved and given back in whatever order: the true costs of no window exceed burst and rate."""
    rate, bucket, now = Rate.of(60, 60, 100), Bucket(0, 0, 0), 0
    history: list[tuple[int, int]] = []
    under_way: list[_Open] = []
    for number, (pause_s, units, percent, later) in enumerate(calls):
        now += pause_s * US_PER_S
        for call in [each for each in under_way if each.ends <= number]:
            under_way.remove(call)
            bucket.settle(now, call.hold, rate.charge_us(call.needed) - rate.charge_us(call.reserved))
            history[call.place] = (history[call.place][0], call.needed)
        hold = bucket.take(now, rate.charge_us(units), rate.room_us)
        if hold is not None:
            under_way.append(_Open(len(history), number + later, hold, units, units * percent // 100))
            history.append((now, units))

    assert worst_excess(history, rate) <= 0
