"""Refusals that still hold, so that a caller who is over a limit costs no round trip until it has passed."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.gcra import US_PER_S
from app.core.rules import NEVER, Ask, Claim, Decision, Measure, Standing

REFUSALS_MAX = 10_000
# For how long a refusal is believed. Requests are given back by nobody, tokens and places by every replica.
_BELIEVED_US: Final[Mapping[Measure, int]] = MappingProxyType(
    {Measure.REQUESTS: 5 * US_PER_S, Measure.TOKENS: US_PER_S // 2, Measure.CONCURRENCY: US_PER_S // 20}
)


class _Refused(msgspec.Struct, frozen=True):
    """A claim that did not fit at `at_us`; believed until `till_us`."""

    standing: Standing
    at_us: int
    till_us: int


class Refusals:
    """What shared buckets refused lately. Time is that of this process, in microseconds."""

    def __init__(self) -> None:
        self._refused: dict[str, _Refused] = {}

    def note(self, decision: Decision, now_us: int) -> None:
        """Remember which claims kept a call out."""
        for standing in decision.standings:
            claim = standing.claim
            if standing.wait_us <= 0 or claim.rule.shadow:
                continue
            till_us = now_us + min(standing.wait_us, _BELIEVED_US[claim.rule.measure])
            self._refused.pop(claim.bucket, None)
            self._refused[claim.bucket] = _Refused(standing, now_us, till_us)
        if len(self._refused) > REFUSALS_MAX:
            del self._refused[next(iter(self._refused))]

    def find(self, ask: Ask, now_us: int) -> Decision | None:
        """Refuse an ask that is as large as one that was refused a moment ago, or return None."""
        if not self._refused:
            return None
        for claim in ask.claims:
            known = self._refused.get(claim.bucket)
            if known is None:
                continue
            if now_us >= known.till_us:
                del self._refused[claim.bucket]
            elif claim.charge_us >= known.standing.claim.charge_us and not claim.rule.shadow:
                return Decision((_by(known, claim, now_us),), ask.slot, admitted=False)
        return None

    def forget(self, bucket: str) -> None:
        """Take note that something was given back to a bucket."""
        self._refused.pop(bucket, None)


def _by(known: _Refused, claim: Claim, now_us: int) -> Standing:
    """Return what the bucket must look like by now, if nobody touched it."""
    standing, passed_us = known.standing, now_us - known.at_us
    if claim.rule.rate is None:
        return Standing(claim, standing.wait_us, standing.used)
    if claim.charge_us > claim.rule.rate.room_us:
        return Standing(claim, NEVER, standing.used)
    more_us = claim.charge_us - standing.claim.charge_us
    return Standing(claim, standing.wait_us - passed_us + more_us, max(0, standing.used - passed_us))
