"""
How much a gateway may do beyond its callers' traffic.

Retries: a share of a target's traffic plus a floor, over the last ten seconds. A fixed number of tries per call
multiplies an outage by that number; a budget caps the multiplication for all calls together. The shape is that of
Finagle's RetryBudget and Tower's TpsBudget, with slots of one second.

Hedges: a share of a route's traffic and nothing else, in a token bucket.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

_WINDOW_S = 10
_SLOTS = _WINDOW_S + 1  # retries count a slot longer than calls, so that no ten seconds hold more than was promised
_TARGETS_MAX = 4096  # any model of a provider may be asked for, so the table of targets needs an end
_ROUNDING = 1e-9  # a hundred times 0.1 may be a little less than ten
_SAVED_MAX = 10.0  # of a share: what calm hours have saved may not come all at once when a target falls silent


class RetryBudget:
    """The budget of one target; in any ten seconds retries <= ratio * calls + 10 * floor_per_s."""

    def __init__(self, ratio: float, floor_per_s: float) -> None:
        self._ratio = ratio
        self._reserve = floor_per_s * _WINDOW_S
        self._calls = [0] * _SLOTS
        self._retries = [0] * _SLOTS
        self._second = 0

    def deposit(self, now: float) -> None:
        """Count one call."""
        second = int(now)
        self._calls[second % _SLOTS if second == self._second else self._roll(second)] += 1

    def withdraw(self, now: float) -> bool:
        """Take one retry if the budget has it; say whether it had."""
        slot = self._roll(int(now))
        calls = sum(self._calls) - self._calls[(slot + 1) % _SLOTS]
        if self._ratio * calls + self._reserve - sum(self._retries) < 1.0 - _ROUNDING:
            return False
        self._retries[slot] += 1
        return True

    def _roll(self, second: int) -> int:
        """Forget the seconds that have left the window and return the slot of the current one."""
        for passed in range(min(second - self._second, _SLOTS)):
            slot = (second - passed) % _SLOTS
            self._calls[slot] = self._retries[slot] = 0
        self._second = max(self._second, second)
        return self._second % _SLOTS


class RetryBudgets:
    """One budget per target; the targets unused for longest are forgotten first."""

    def __init__(self, ratio: float, floor_per_s: float) -> None:
        self._ratio = ratio
        self._floor_per_s = floor_per_s
        self._budgets: dict[str, RetryBudget] = {}

    def of(self, target: str) -> RetryBudget:
        """Return the budget of the target named `provider/model`."""
        budget = self._budgets.pop(target, None) or RetryBudget(self._ratio, self._floor_per_s)
        self._budgets[target] = budget
        if len(self._budgets) > _TARGETS_MAX:
            del self._budgets[next(iter(self._budgets))]
        return budget


class Share:
    """
    A share of the calls, without a floor: each call brings `ratio` of a token, what is taken costs a whole one.

    Never more is taken than `ratio` of the calls counted so far; after them at most ten in a row. Nothing expires, so
    that a quiet route comes to its share as well.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._saved = 0.0

    def deposit(self) -> None:
        """Count one call."""
        self._saved = min(self._saved + self._ratio, _SAVED_MAX)

    def withdraw(self) -> bool:
        """Take a token if there is one; say whether there was."""
        if self._saved < 1.0 - _ROUNDING:
            return False
        self._saved -= 1.0
        return True


def kept_budgets() -> Callable[[float, float], RetryBudgets]:
    """Make the maker of a process's retry budgets: a reload that leaves their numbers as they are forgets nothing."""
    return lru_cache(maxsize=1)(RetryBudgets)


class KeptShares:
    """The shares of the routes that hedge: a reload that leaves a route's ratio as it is forgets nothing of it."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, Share]] = {}

    def keep(self, ratios: Mapping[str, float]) -> Mapping[str, Share]:
        """Return the share of each route, that of before if it has this ratio; routes without one are forgotten."""
        before = self._kept
        self._kept = {
            route: before[route] if route in before and before[route][0] == ratio else (ratio, Share(ratio))
            for route, ratio in ratios.items()
        }
        return {route: share for route, (_, share) in self._kept.items()}
