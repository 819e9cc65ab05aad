"""
What an answer says of its provider's own rate limits: `x-ratelimit-*` of OpenAI and others, `anthropic-ratelimit-*`.

Sources: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers,
https://docs.anthropic.com/en/api/rate-limits#response-headers
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from app.core.call import Target
from app.core.clock import Clock
from app.core.limits.quotas import Left, Quotas
from app.core.rules import Measure
from app.core.signals import Listener, ProviderLimitNear

_NAMES: Final = (
    (Measure.REQUESTS, "x-ratelimit-{}-requests"),
    (Measure.TOKENS, "x-ratelimit-{}-tokens"),
    (Measure.REQUESTS, "anthropic-ratelimit-requests-{}"),
    (Measure.TOKENS, "anthropic-ratelimit-tokens-{}"),
    (Measure.TOKENS, "anthropic-ratelimit-input-tokens-{}"),
)
_DURATION: Final = re.compile(
    r"(?:(\d{1,6})h)?(?:(\d{1,6})m(?!s))?(?:(\d{1,9}(?:\.\d{1,9})?)s)?(?:(\d{1,9}(?:\.\d{1,9})?)ms)?"
)
_SECONDS: Final = re.compile(r"\d{1,9}(?:\.\d{1,9})?")
_UNITS_S: Final = (3600.0, 60.0, 1.0, 0.001)
_COUNT: Final = re.compile(r"\d{1,12}")


class RateHeaders:
    """Hears what the answers of a provider say, and tells when little is left."""

    def __init__(self, quotas: Quotas, clock: Clock, listener: Listener) -> None:
        self._quotas = quotas
        self._clock = clock
        self._listener = listener

    def hear(self, target: Target, headers: Mapping[str, str]) -> None:
        """Take note of one answer."""
        said = left_of(headers, self._clock.now(), self._clock.wall())
        for measure in self._quotas.hear(target.name, said) if said else ():
            left = said[measure]
            near = ProviderLimitNear(target.provider, target.model, measure.value, left.remaining, left.limit or 0)
            self._listener(near)


def left_of(headers: Mapping[str, str], now: float, wall_s: float) -> dict[Measure, Left]:
    """
    Return what an answer's headers say is left.

    `now` and `wall_s` are the same moment by the clock and by the calendar. Of several numbers for one measure the
    smallest share counts; what cannot be read is not believed.
    """
    found: dict[Measure, Left] = {}
    for measure, name in _NAMES:
        remaining = headers.get(name.format("remaining"), "")
        if not _COUNT.fullmatch(remaining):
            continue
        wait_s = _wait_s(headers.get(name.format("reset"), ""), wall_s)
        if wait_s is None:
            continue
        limit = headers.get(name.format("limit"), "")
        left = Left(int(remaining), now + wait_s, int(limit) if _COUNT.fullmatch(limit) else None)
        known = found.get(measure)
        if known is None or (left.ratio or 0.0) < (known.ratio or 0.0):
            found[measure] = left
    return found


def _wait_s(reset: str, wall_s: float) -> float | None:
    """Read when a limit is reset: `6m0s`, `20ms`, `12.5` (seconds) or a moment as in RFC 3339."""
    if _SECONDS.fullmatch(reset):
        return float(reset)
    parts = _DURATION.fullmatch(reset)
    if parts is not None and reset:
        return math.fsum(float(part) * unit for part, unit in zip(parts.groups(), _UNITS_S, strict=True) if part)
    try:
        moment = datetime.fromisoformat(reset)
    except ValueError:
        return None
    return None if moment.tzinfo is None else max(0.0, moment.timestamp() - wall_s)
