"""Whether a history of admitted costs kept within a rate, looked at in every window there is."""

from __future__ import annotations

from collections.abc import Sequence

from app.core.gcra import Rate


def worst_excess(history: Sequence[tuple[int, int]], rate: Rate) -> float:
    """
    Return by how many units the worst of all windows is above `burst + rate * window`; 0 or less is good.

    `history` is when (microseconds) how many units were let in, in order of time. One pass: the excess of a window is
    a difference of two sums, so the least of the earlier ones is all that needs to be kept.
    """
    worst, before, least = -float(rate.burst), 0, None
    for at_us, units in history:
        filled = at_us * rate.amount  # units times window: whole numbers, so that nothing is rounded
        start = before * rate.window_us - filled
        least = start if least is None else min(least, start)
        before += units
        worst = max(worst, (before * rate.window_us - filled - least) / rate.window_us - rate.burst)
    return worst
