"""
Leases: blocks of work that this replica has taken from shared buckets, and grants without asking Redis.

A block is charged to its bucket when it is taken, and lives for `BLOCK_US`. So all replicas together admit at most
`burst + rate * (window + BLOCK_US)` within any window: one second's worth more than without leases, for any number of
replicas. The rest of a block is given back.
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
    The rest of the work that was taken under `hold`, valid up to `till_us`; `used` was the bucket's level then.

    While it is `filling`, one call is taking the next block.
    """

    slot: str
    left_us: int = 0
    till_us: int = 0
    used: int = 0
    hold: Hold | None = None
    filling: bool = False


class Blocks:
    """The blocks of one replica, by bucket; `now_us` is the replica's own time."""

    def __init__(self) -> None:
        self._blocks: dict[str, _Block] = {}
        self._leftovers: list[tuple[str, Correction]] = []

    def serve(self, ask: Ask, now_us: int) -> Decision | None:
        """Take all claims from blocks, if these have enough; otherwise return None and change nothing."""
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
        """Return the claims on the buckets instead, new blocks included; `fill` or `give_up` must follow."""
        wants = []
        for claim in ask.claims:
            block = self._blocks.setdefault(claim.bucket, _Block(ask.slot))
            if block.filling:  # one call at a time takes a block, or a burst of calls would take a block each
                wants.append(Want(claim.charge_us))
                continue
            self._leave(claim.bucket, block)
            block.filling = True
            rate = claim.rule.rate
            wants.append(Want(claim.charge_us, 0 if rate is None else rate.charge_us(claim.rule.lease)))
        return wants

    def fill(self, wants: Sequence[Want], decision: Decision, taken_us: Sequence[int], now_us: int) -> None:
        """Make blocks of the work that was taken beyond the call's own need."""
        for standing, want, work_us in zip(decision.standings, wants, taken_us, strict=True):
            block = self._blocks[standing.claim.bucket]
            if want.more_us:
                block.filling = False
                block.left_us, block.till_us = max(0, work_us - want.charge_us), now_us + BLOCK_US
                block.hold, block.used = standing.hold, standing.used

    def give_up(self, ask: Ask, wants: Sequence[Want]) -> None:
        """End the filling: nothing was taken."""
        for claim, want in zip(ask.claims, wants, strict=True):
            if want.more_us:
                self._blocks[claim.bucket].filling = False

    def settle(self, standing: Standing, owed_us: int) -> int:
        """Settle a call with the block that it was served from; return what remains to be settled in buckets."""
        block, hold = self._blocks.get(standing.claim.bucket), standing.hold
        if block is None or hold is None or block.hold is None or block.hold.served_us != hold.served_us:
            return owed_us
        paid_us = min(owed_us, block.left_us)
        block.left_us -= paid_us
        return owed_us - paid_us

    def leftovers(self, now_us: int) -> list[tuple[str, Correction]]:
        """Return the unused work of blocks, with the slots of their buckets; expired blocks end here."""
        for bucket, block in [each for each in self._blocks.items() if now_us >= each[1].till_us]:
            if not block.filling:
                self._leave(bucket, block)
                del self._blocks[bucket]
        found, self._leftovers = self._leftovers, []
        return found

    def drop(self) -> None:
        """Forget all blocks: Redis is out of reach."""
        for block in self._blocks.values():
            block.left_us = 0

    def _leave(self, bucket: str, block: _Block) -> None:
        if block.left_us and block.hold is not None:
            self._leftovers.append((block.slot, Correction(bucket, -block.left_us, block.hold)))
        block.left_us = 0


def leased(ask: Ask) -> bool:
    """Return whether blocks can save a round trip: a single claim without a lease needs one anyway."""
    return all(claim.rule.lease for claim in ask.claims)
