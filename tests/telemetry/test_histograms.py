"""Histograms count every value once, in the right bucket."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.telemetry.metrics.histograms import DURATION_S, FIRST_TOKEN_S, OVERHEAD_S, TOKENS_PER_S, Histogram

BOUNDS = (0.5, 1.0, 2.5)
VALUES = st.lists(st.floats(min_value=0, max_value=10, allow_nan=False))


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES)
def test_every_value_is_counted_once(values: list[float]) -> None:
    """The last bucket holds all values, and their sum is kept."""
    histogram = Histogram(BOUNDS)

    for value in values:
        histogram.observe(value)
    reading = histogram.read()

    assert len(values) == reading.cumulative[-1]
    assert math.isclose(math.fsum(values), reading.total, abs_tol=1e-9)


@settings(deadline=None)  # a busy machine is no failure
@given(VALUES)
def test_each_bucket_holds_what_does_not_exceed_its_bound(values: list[float]) -> None:
    """Buckets are cumulative: a bound's count is the number of values up to and including it."""
    histogram = Histogram(BOUNDS)

    for value in values:
        histogram.observe(value)
    reading = histogram.read()

    assert [sum(value <= bound for value in values) for bound in BOUNDS] == list(reading.cumulative[:-1])
    assert all(low <= high for low, high in pairwise(reading.cumulative))


def test_a_value_on_the_border_belongs_to_the_lower_bucket() -> None:
    """`le` means less or equal."""
    histogram = Histogram(BOUNDS)

    histogram.observe(1.0)

    assert (0, 1, 1, 1) == histogram.read().cumulative


@pytest.mark.parametrize("bounds", [DURATION_S, FIRST_TOKEN_S, OVERHEAD_S, TOKENS_PER_S])
def test_bounds_ascend(bounds: tuple[float, ...]) -> None:
    """Bisection needs sorted bounds, and Prometheus distinct ones."""
    assert all(low < high for low, high in pairwise(bounds))
