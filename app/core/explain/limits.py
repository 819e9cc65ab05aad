"""Which rate limits a call would meet, what it would ask of each, and whether that fits now."""

from __future__ import annotations

from typing import Literal

import msgspec

from app.core.call import Attempt
from app.core.clock import Clock
from app.core.explain.port import Inquiry
from app.core.limits.rulebook import RuleBook
from app.core.ports import Limits
from app.core.rules import Claim, Standing


class LimitLevel(msgspec.Struct, frozen=True):
    """
    One limit, and the bucket of this call in it.

    `asks` and `remaining` are in units of `measure` (requests, tokens, concurrency). One in `shadow` refuses nobody.
    """

    name: str
    per: tuple[str, ...]
    measure: str
    asks: int
    remaining: int
    most: int
    has_room: bool
    shadow: bool


class LimitsSection(msgspec.Struct, frozen=True):
    """The limits that apply."""

    limits: tuple[LimitLevel, ...]


class ExplainLimits(msgspec.Struct, frozen=True):
    """
    The section `limits`, of the rules that calls meet, or `target_limits`, of those that the first target meets.

    The second stands behind `route`. `limits` knows how full the buckets of the rules in `book` are.
    """

    section: Literal["limits", "target_limits"]
    book: RuleBook
    limits: Limits
    clock: Clock

    async def explain(self, inquiry: Inquiry) -> LimitsSection | None:
        """Say what would be asked for; None if no rule applies. Takes nothing."""
        now = self.clock.now()
        if self.section == "limits":
            ask = self.book.of_call(inquiry.call, now)
        else:
            ask = self.book.of_attempt(Attempt(inquiry.call, inquiry.targets[0], last=True), now)
        if ask is None:
            return None
        known = {standing.claim.bucket: standing for standing in await self.limits.levels()}
        return LimitsSection(tuple([_level(claim, known.get(claim.bucket)) for claim in ask.claims]))


def _level(claim: Claim, standing: Standing | None) -> LimitLevel:
    rule = claim.rule
    remaining = rule.most if standing is None else standing.remaining
    return LimitLevel(
        name=rule.name,
        per=tuple([scope.value for scope in rule.per]),
        measure=rule.measure.value,
        asks=claim.units,
        remaining=remaining,
        most=rule.most,
        has_room=claim.units <= remaining,
        shadow=rule.shadow,
    )
