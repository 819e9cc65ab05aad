"""Remembers recent refusals, so that a caller over a limit costs no round trip until it may fit again."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from app.core.gcra import US_PER_S
from app.core.rules import NEVER, Ask, Claim, Decision, Measure, Standing

REFUSALS_MAX = 10_000
# How long a refusal is trusted. Requests are never given back; tokens and places are, by any replica.
_BELIEVED_US: Final[Mapping[Measure, int]] = MappingProxyType(
    {Measure.REQUESTS: 5 * US_PER_S, Measure.TOKENS: US_PER_S // 2, Measure.CONCURRENCY: US_PER_S // 20}
)


class _Refused(msgspec.Struct, frozen=True):
    """A claim that did not fit at `at_us`; trusted until `till_us`."""

    standing: Standing
    at_us: int
    till_us: int


class Refusals:
    """Recent refusals of shared buckets. Times are this process's own, in microseconds."""

    def __init__(self) -> None:
        self._refused: dict[str, _Refused] = {}

    def note(self, decision: Decision, now_us: int) -> None:
        """Remember the claims that refused a call."""
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
        """Refuse an ask that is as large as one that was refused recently, or return None."""
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
        """Forget the refusals of a bucket to which something was given back."""
        self._refused.pop(bucket, None)


def _by(known: _Refused, claim: Claim, now_us: int) -> Standing:
    """Return the present standing of the bucket, unless it was used elsewhere."""
    standing, passed_us = known.standing, now_us - known.at_us
    if claim.rule.rate is None:
        return Standing(claim, standing.wait_us, standing.used)
    if claim.charge_us > claim.rule.rate.room_us:
        return Standing(claim, NEVER, standing.used)
    more_us = claim.charge_us - standing.claim.charge_us
    return Standing(claim, standing.wait_us - passed_us + more_us, max(0, standing.used - passed_us))
