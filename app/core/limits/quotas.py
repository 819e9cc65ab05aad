"""
What providers say is left of their own limits, for each model: believed until their next word.

It belongs to the process, and each replica goes by what it hears itself. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from app.core.rules import Measure

TARGETS_MAX: Final = 1024  # any model of a provider may be asked for, so the table needs an end
NEAR: Final = 0.1  # share of a limit below which it is close ...
FAR: Final = 0.2  # ... and above which it is no more, so that the news come once
WAIT_MAX_S: Final = 3600.0  # a provider's word is not believed for longer


class Left(msgspec.Struct):
    """`remaining` of `limit` (None if it was not said), and when that is as good as new, in seconds of the clock."""

    remaining: int
    resets_at: float
    limit: int | None = None
    near: bool = False

    @property
    def ratio(self) -> float | None:
        """Return which share is left, if that can be said."""
        return max(0, self.remaining) / self.limit if self.limit else None


class Quotas:
    """What is left at each target."""

    def __init__(self) -> None:
        self._left: dict[str, dict[Measure, Left]] = {}

    def hear(self, target: str, said: Mapping[Measure, Left]) -> list[Measure]:
        """Take note of what the provider of `provider/model` said, and return of what little is left since then."""
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
        Count an attempt, or return what is used up and for how many seconds.

        `tokens` tells how long its prompt is; it is only asked where that matters.
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
        """Return the least share that is left at any model of each provider, as last heard."""
        found: dict[tuple[str, Measure], float] = {}
        for target, left in self._left.items():
            provider = target.partition("/")[0]
            for measure, each in left.items():
                if each.ratio is not None:
                    found[provider, measure] = min(each.ratio, found.get((provider, measure), 1.0))
        return found
