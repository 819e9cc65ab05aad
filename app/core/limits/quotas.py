"""
The remaining quotas that providers report in their responses, for each model; valid until the next report.

They are per process: each replica knows only the responses that it gets itself. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from app.core.rules import Measure

TARGETS_MAX: Final = 1024  # callers may request any model name of a provider, so the table needs a bound
NEAR: Final = 0.1  # remaining share below which a quota is nearly used up ...
FAR: Final = 0.2  # ... and from which it no longer is; two thresholds, so that each episode is signalled once
WAIT_MAX_S: Final = 3600.0  # longest wait that is returned, whatever the provider reports


class Left(msgspec.Struct):
    """`remaining` of `limit` (None: unknown) until `resets_at`, in seconds of the clock; `near`: almost used up."""

    remaining: int
    resets_at: float
    limit: int | None = None
    near: bool = False

    @property
    def ratio(self) -> float | None:
        """Return the share that is left; None if the limit is unknown."""
        return max(0, self.remaining) / self.limit if self.limit else None


class Quotas:
    """The remaining quotas of each target."""

    def __init__(self) -> None:
        self._left: dict[str, dict[Measure, Left]] = {}

    def hear(self, target: str, said: Mapping[Measure, Left]) -> list[Measure]:
        """Update the quotas of `provider/model`, and return the measures that are newly near their end."""
        before = self._left.pop(target, {})
        self._left[target] = {**before, **said}
        if len(self._left) > TARGETS_MAX:
            del self._left[next(iter(self._left))]
        news = []
        for measure, left in said.items():
            was_near = measure in before and before[measure].near
            ratio = left.ratio
            left.near = ratio is not None and ratio < (FAR if was_near else NEAR)
            if left.near and not was_near:
                news.append(measure)
        return news

    def take(self, target: str, tokens: Callable[[], int], now: float) -> tuple[Measure, float] | None:
        """
        Deduct an attempt, or return which quota is used up, and for how many seconds.

        `tokens` returns the length of its prompt; it is only called if there is a quota of tokens.
        """
        left = self._left.get(target)
        if left is None:
            return None
        needed: list[tuple[Left, int]] = []
        for measure, each in left.items():
            if now >= each.resets_at:
                continue
            units = 1 if measure is Measure.REQUESTS else tokens()
            if each.remaining < units:
                return measure, min(each.resets_at - now, WAIT_MAX_S)
            needed.append((each, units))
        for each, units in needed:
            each.remaining -= units
        return None

    def lowest(self) -> dict[tuple[str, Measure], float]:
        """Return the least share that is left of any model, by provider and measure."""
        shares: dict[tuple[str, Measure], float] = {}
        for target, left in self._left.items():
            provider = target.partition("/")[0]
            for measure, each in left.items():
                if each.ratio is not None:
                    shares[provider, measure] = min(each.ratio, shares.get((provider, measure), 1.0))
        return shares
