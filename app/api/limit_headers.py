"""How far a caller is from its rate limits: `x-ratelimit-*`, in the form in which OpenAI sends them."""

from __future__ import annotations

import math
from collections.abc import Sequence

from app.core.rules import Measure, Standing

_SHOWN = tuple(
    (measure, tuple(b"x-ratelimit-%b-%b" % (part, name) for part in (b"limit", b"remaining", b"reset")))
    for measure, name in ((Measure.REQUESTS, b"requests"), (Measure.TOKENS, b"tokens"))
)
_MINUTE_S, _HOUR_S = 60, 3600


def limit_headers(standings: Sequence[Standing]) -> list[tuple[bytes, bytes]]:
    """
    Return limit, remaining and reset of the tightest rule of each kind, the one with the least left.

    The limit is what a full bucket holds; it is reset when the bucket is full again. Rules in shadow keep nobody out.
    """
    headers: list[tuple[bytes, bytes]] = []
    for measure, (limit, remaining, reset) in _SHOWN:
        found = [each for each in standings if each.claim.rule.measure is measure and not each.claim.rule.shadow]
        if not found:
            continue
        tightest = found[0] if len(found) == 1 else min(found, key=lambda each: (each.remaining, -each.reset_s))
        headers += (
            (limit, b"%d" % tightest.claim.rule.most),
            (remaining, b"%d" % tightest.remaining),
            (reset, duration(tightest.reset_s)),
        )
    return headers


def duration(seconds: float) -> bytes:
    """Write a duration as OpenAI does: `0s`, `20ms`, `8.64s`, `6m0s`, `24h0m0s`; rounded up."""
    ms = math.ceil(seconds * 1000)
    if 0 < ms < 1000:  # noqa: PLR2004 - a second
        return b"%dms" % ms
    if ms < _MINUTE_S * 1000:
        return (b"%.3f" % (ms / 1000)).rstrip(b"0").rstrip(b".") + b"s"
    whole = math.ceil(seconds)
    minutes, rest = divmod(whole, _MINUTE_S)
    if whole < _HOUR_S:
        return b"%dm%ds" % (minutes, rest)
    return b"%dh%dm%ds" % (*divmod(minutes, 60), rest)
