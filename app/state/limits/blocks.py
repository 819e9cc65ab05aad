"""
Blocks of work that this replica has taken from shared buckets, to hand them out without asking (`lease` of a rule).

A block is charged to its bucket when it is taken, and lives for `BLOCK_US`. So what all replicas let in within any
window is at most `burst + rate * (window + BLOCK_US)`: a second's worth more than without leases, for any number of
replicas. What is left of a block is given back.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from app.core.gcra import US_PER_S, Hold
from app.core.rules import Ask, Decision, Standing
from app.state.limits.redis import Correction, Want

BLOCK_US = US_PER_S


class _Block(msgspec.Struct):
    """
    What is left of the work that was taken under `hold`, up to `till_us`; `used` is what was in the bucket then.

    While it is `filling`, one call is under way to take the next one.
    """

    slot: str
    left_us: int = 0
    till_us: int = 0
    used: int = 0
    hold: Hold | None = None
    filling: bool = False


class Blocks:
    """The blocks of one replica, by bucket; `now_us` is its own time."""

    def __init__(self) -> None:
        self._blocks: dict[str, _Block] = {}
        self._leftovers: list[tuple[str, Correction]] = []

    def serve(self, ask: Ask, now_us: int) -> Decision | None:
        """Take everything that is asked for from blocks if they have it; else return None and touch nothing."""
        found = []
        for claim in ask.claims:
            block = self._blocks.get(claim.bucket)
            if block is None or now_us >= block.till_us or block.left_us < claim.charge_us:
                return None
            found.append((claim, block))
        for claim, block in found:
            block.left_us -= claim.charge_us
        standings = tuple([Standing(claim, 0, block.used, block.hold) for claim, block in found])
        return Decision(standings, ask.slot, admitted=True)

    def wants(self, ask: Ask) -> list[Want]:
        """Return what to ask of the buckets instead, new blocks included; `fill` or `give_up` has to follow."""
        wants = []
        for claim in ask.claims:
            block = self._blocks.setdefault(claim.bucket, _Block(ask.slot))
            if block.filling:  # one call at a time takes a block, or a crowd would take a crowd of them
                wants.append(Want(claim.charge_us))
                continue
            self._leave(claim.bucket, block)
            block.filling = True
            rate = claim.rule.rate
            wants.append(Want(claim.charge_us, 0 if rate is None else rate.charge_us(claim.rule.lease)))
        return wants

    def fill(self, wants: Sequence[Want], decision: Decision, taken_us: Sequence[int], now_us: int) -> None:
        """Make blocks of what was taken beyond the need of the call itself."""
        for standing, want, work_us in zip(decision.standings, wants, taken_us, strict=True):
            block = self._blocks[standing.claim.bucket]
            if want.more_us:
                block.filling = False
                block.left_us, block.till_us = max(0, work_us - want.charge_us), now_us + BLOCK_US
                block.hold, block.used = standing.hold, standing.used

    def give_up(self, ask: Ask, wants: Sequence[Want]) -> None:
        """Take note that nothing was taken."""
        for claim, want in zip(ask.claims, wants, strict=True):
            if want.more_us:
                self._blocks[claim.bucket].filling = False

    def settle(self, standing: Standing, owed_us: int) -> int:
        """Give to the block that a call was served from, or take from it; return what that leaves to be settled."""
        block, hold = self._blocks.get(standing.claim.bucket), standing.hold
        if block is None or hold is None or block.hold is None or block.hold.served_us != hold.served_us:
            return owed_us
        paid_us = min(owed_us, block.left_us)
        block.left_us -= paid_us
        return owed_us - paid_us

    def leftovers(self, now_us: int) -> list[tuple[str, Correction]]:
        """Return what blocks did not need, with the slots of their buckets; blocks whose time is over end here."""
        for bucket, block in [each for each in self._blocks.items() if now_us >= each[1].till_us]:
            if not block.filling:
                self._leave(bucket, block)
                del self._blocks[bucket]
        found, self._leftovers = self._leftovers, []
        return found

    def drop(self) -> None:
        """Forget all blocks: Redis, which they were taken from, is out of reach."""
        for block in self._blocks.values():
            block.left_us = 0

    def _leave(self, bucket: str, block: _Block) -> None:
        if block.left_us and block.hold is not None:
            self._leftovers.append((block.slot, Correction(bucket, -block.left_us, block.hold)))
        block.left_us = 0


def leased(ask: Ask) -> bool:
    """Say whether blocks can spare this ask its round trip: a single claim without a lease needs one anyway."""
    return all(claim.rule.lease for claim in ask.claims)
