"""What tokens cost."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import NANO, nano, usd
from app.core.spending.prices import Price
from app.core.usage import CompletionTokensDetails, PromptTokensDetails, Usage

COUNT = st.integers(0, 10_000_000)
FULL = Price(3.0, 15.0, cached=0.3, cache_write=3.75, reasoning=12.0, audio_input=40.0, audio_output=80.0)


def used(prompt: int, completion: int, **parts: int) -> Usage:
    """Return a usage with some of its parts named."""
    inside = PromptTokensDetails(parts.get("cached"), parts.get("written"), parts.get("heard"))
    outside = CompletionTokensDetails(parts.get("thought"), parts.get("said"))
    return Usage(prompt, completion, prompt + completion, inside, outside)


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        (used(1_000_000, 0), 3.0),
        (used(0, 1_000_000), 15.0),
        (used(1_000_000, 0, cached=400_000), 0.6 * 3.0 + 0.4 * 0.3),
        (used(1_000_000, 0, written=1_000_000), 3.75),
        (used(1_000_000, 0, cached=500_000, written=200_000, heard=100_000), 0.6 + 0.15 + 0.75 + 4.0),
        (used(0, 1_000_000, thought=500_000), 7.5 + 6.0),
        (used(0, 1_000_000, thought=500_000, said=500_000), 6.0 + 40.0),
        (Usage(1, 1, 2), 18e-6),
    ],
)
def test_each_token_is_charged_once(usage: Usage, dollars: float) -> None:
    """At the price of the most special part that it belongs to."""
    assert FULL.of(usage) == nano(dollars)


def test_parts_without_a_price_have_that_of_the_whole() -> None:
    """A model of which only two prices are known charges nothing else."""
    plain = Price(3.0, 15.0)

    assert plain.of(used(1000, 500, cached=300, written=100, heard=50, thought=400, said=20)) == plain.of(
        used(1000, 500)
    )


def test_requests_and_images() -> None:
    """Some models charge for these."""
    assert Price(request_usd=0.01, image_usd=0.04).of(Usage(), images=3) == nano(0.13)


@given(COUNT, COUNT, COUNT, COUNT)
def test_a_usage_that_contradicts_itself_never_costs_less_than_nothing(a: int, b: int, c: int, d: int) -> None:
    """Providers that count parts beyond the whole exist."""
    assert FULL.of(used(a, b, cached=c, thought=d)) >= 0


@pytest.mark.parametrize(("price", "free"), [(Price(), True), (Price(output=0.1), False), (Price(cached=0.1), False)])
def test_free(price: Price, free: bool) -> None:
    """Only what can never cost anything is free."""
    assert price.free == free


def test_amounts() -> None:
    """A dollar is a billion of what is counted in."""
    assert (nano(1.5), usd(1_500_000_000), NANO) == (1_500_000_000, 1.5, 10**9)
