"""How `x-ratelimit-*` is written."""

from __future__ import annotations

import pytest

from app.api.headers import duration, limit_headers
from app.core.gcra import US_PER_S, Rate
from app.core.rules import Claim, Measure, Rule, Standing


def standing(measure: Measure, most: int, used: int, *, shadow: bool = False, window_s: float = 60) -> Standing:
    """Return how a bucket stands of which so many units are used."""
    if measure is Measure.CONCURRENCY:
        return Standing(Claim(Rule("r", measure, most), "b", 1, 0), 0, used)
    rate = Rate.of(most, window_s, most)
    return Standing(Claim(Rule("r", measure, most, rate, shadow=shadow), "b", 1, 0), 0, rate.charge_us(used))


def headers(*standings: Standing) -> dict[str, str]:
    """Return the headers by the end of their names."""
    return {name.decode().removeprefix("x-ratelimit-"): value.decode() for name, value in limit_headers(standings)}


def test_both_kinds_are_told() -> None:
    """Requests and tokens, each with limit, remaining and reset; places in use have no such header."""
    found = headers(
        standing(Measure.REQUESTS, 60, 2), standing(Measure.TOKENS, 6000, 100), standing(Measure.CONCURRENCY, 5, 1)
    )

    assert found == {
        "limit-requests": "60",
        "remaining-requests": "58",
        "reset-requests": "2s",
        "limit-tokens": "6000",
        "remaining-tokens": "5900",
        "reset-tokens": "1s",
    }


def test_the_tightest_rule_is_told() -> None:
    """The one with the least left; of equals the one that takes longest to fill; none in shadow."""
    wide, narrow = standing(Measure.REQUESTS, 1000, 990), standing(Measure.REQUESTS, 50, 10)
    slow = standing(Measure.REQUESTS, 20, 10, window_s=3600)
    hidden = standing(Measure.REQUESTS, 5, 5, shadow=True)

    found = headers(narrow, wide, hidden, slow)

    assert ("20", "10", "30m0s") == (found["limit-requests"], found["remaining-requests"], found["reset-requests"])


def test_without_rules_nothing_is_told() -> None:
    """No limit is made up."""
    assert {} == headers(standing(Measure.CONCURRENCY, 5, 1), standing(Measure.TOKENS, 5, 1, shadow=True))


def test_a_bucket_that_owes_has_nothing_left() -> None:
    """Never less than nothing."""
    found = headers(standing(Measure.TOKENS, 60, 90))

    assert ("0", "1m30s") == (found["remaining-tokens"], found["reset-tokens"])


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0, "0s"),
        (0.0001, "1ms"),
        (0.0201, "21ms"),
        (0.9999, "1s"),
        (1, "1s"),
        (8.64, "8.64s"),
        (59.9999, "1m0s"),
        (360, "6m0s"),
        (90.5, "1m31s"),
        (3600, "1h0m0s"),
        (86_400, "24h0m0s"),
        (1 / US_PER_S, "1ms"),
    ],
)
def test_durations_are_written_as_openai_writes_them(seconds: float, written: str) -> None:
    """Rounded up, so that whoever waits so long has waited long enough."""
    assert written == duration(round(seconds * US_PER_S)).decode()
