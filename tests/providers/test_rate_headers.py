"""How providers write what is left of their limits."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.clock import SystemClock
from app.core.limits.quotas import Left, Quotas
from app.core.rules import Measure
from app.core.signals import ProviderLimitNear, Signal
from app.providers.rate_headers import RateHeaders, left_of

NOW, WALL = 100.0, 1_795_343_400.0  # 2026-11-22T10:30:00Z


def openai(remaining: str = "5", reset: str = "1s", limit: str = "60") -> dict[str, str]:
    """Return the headers of OpenAI for requests."""
    names = ("remaining", "reset", "limit")
    return {f"x-ratelimit-{name}-requests": value for name, value in zip(names, (remaining, reset, limit), strict=True)}


def test_openai_writes_durations() -> None:
    """For requests and tokens."""
    headers = {**openai(), "x-ratelimit-remaining-tokens": "149984", "x-ratelimit-reset-tokens": "6m0s"}

    assert left_of(headers, NOW, WALL) == {
        Measure.REQUESTS: Left(5, NOW + 1, 60),
        Measure.TOKENS: Left(149_984, NOW + 360, None),
    }


def test_anthropic_writes_moments() -> None:
    """Of input and all tokens the smaller share counts."""
    names = {"requests": ("50", "49"), "tokens": ("40000", "39000"), "input-tokens": ("30000", "100")}
    headers: dict[str, str] = {}
    for name, (limit, remaining) in names.items():
        headers |= {
            f"anthropic-ratelimit-{name}-limit": limit,
            f"anthropic-ratelimit-{name}-remaining": remaining,
            f"anthropic-ratelimit-{name}-reset": "2026-11-22T10:30:12Z",
        }

    assert left_of(headers, NOW, WALL) == {
        Measure.REQUESTS: Left(49, NOW + 12, 50),
        Measure.TOKENS: Left(100, NOW + 12, 30_000),
    }


@pytest.mark.parametrize(
    ("reset", "wait_s"),
    [
        ("20ms", 0.02),
        ("1.5s", 1.5),
        ("1m2.5s", 62.5),
        ("1h0m1s", 3601.0),
        ("2m", 120.0),
        ("12.5", 12.5),
        ("0", 0.0),
        ("2026-11-22T10:29:00+00:00", 0.0),
    ],
)
def test_every_spelling_of_a_wait(reset: str, wait_s: float) -> None:
    """Durations as Go writes them, seconds, and moments, which may have passed."""
    (left,) = left_of(openai(reset=reset), NOW, WALL).values()

    assert left.resets_at == pytest.approx(NOW + wait_s)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        openai(remaining=""),
        openai(remaining="-1"),
        openai(remaining="many"),
        openai(remaining="9" * 20),
        openai(reset=""),
        openai(reset="soon"),
        openai(reset="2026-11-22T10:30:12"),
        openai(reset="9999-99-99T00:00:00Z"),
        openai(reset="-5"),
    ],
)
def test_what_cannot_be_read_is_not_believed(headers: dict[str, str]) -> None:
    """A provider's nonsense holds nobody back."""
    assert left_of(headers, NOW, WALL) == {}


def test_who_listens_hears_that_little_is_left() -> None:
    """Once, with the numbers."""
    told: list[Signal] = []
    heard = RateHeaders(Quotas(), SystemClock(), told.append)

    for remaining in ("50", "5", "4"):
        heard.hear(Target("acme", "small"), openai(remaining=remaining))
    heard.hear(Target("acme", "small"), {})

    assert told == [ProviderLimitNear("acme", "small", "requests", 5, 60)]
