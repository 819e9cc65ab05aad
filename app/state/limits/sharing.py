"""
Rate limits that replicas share: decided in Redis, all rules of a call in one round trip, and settled in the background.

A caller who was refused a moment ago, or is served from a lease, costs no round trip. While Redis is out of reach this
process decides by `fail`: alone with its share of every limit, or it lets everything pass, or refuses everything.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from app.core.clock import Clock
from app.core.gcra import US_PER_S
from app.core.rules import Ask, Decision, Standing
from app.state.limits.blocks import Blocks, leased
from app.state.limits.levels import Levels
from app.state.limits.memory import MemoryLimits, Seen, part_of
from app.state.limits.redis import Correction, RedisLimits, Want, decision_of
from app.state.limits.refusals import Refusals
from app.state.link import Fail, Follower, Link, StateLostError, arrived, out_of_reach

ALIVE_MS = 5_000  # a replica silent for longer does not count any more
PLACE_SOON_S = 0.02  # time that another replica needs to give back the place of a call that has just ended
UNSETTLED_MAX = 10_000  # settlements kept until Redis is back; the oldest are dropped first


class _Settlement(msgspec.Struct, frozen=True):
    """The settlement of one call."""

    slot: str
    place: str
    corrections: tuple[Correction, ...]


class SharedLimits(Follower):
    """The `Limits` of one replica among several (of `replicas`, until Redis says how many); follows `link`."""

    def __init__(self, store: RedisLimits, link: Link, clock: Clock, fail: Fail, replicas: int = 1) -> None:
        self._store = store
        self._link = link
        self._clock = clock
        self._fail = fail
        self._replicas = self._replicas_least = replicas
        self._alone = MemoryLimits(alone=True)
        self._refusals = Refusals()
        self._blocks = Blocks()
        self._seen = Seen()
        self._levels = Levels()
        self._unsettled: deque[_Settlement] = deque(maxlen=UNSETTLED_MAX)
        link.follow(self)

    # --- for calls -----------------------------------------------------------------------------------------------

    async def acquire(self, ask: Ask) -> Decision:
        """Decide from leases and recent refusals, or ask Redis once."""
        now_us = self._now_us()
        self._seen.note(ask)
        if not self._link.up:
            return self._decide_alone(ask, now_us)
        known = self._refusals.find(ask, now_us)
        if known is not None:
            return known
        try:
            if not leased(ask):
                return await self._ask(ask, [Want(claim.charge_us) for claim in ask.claims])
            return self._blocks.serve(ask, now_us) or await self._lease(ask)
        except StateLostError:
            return self._decide_alone(ask, now_us)

    def settle(self, decision: Decision, tokens: int) -> None:
        """Send the settlement in the background; never waits, never fails."""
        if decision.alone:
            self._alone.settle(decision, tokens, self._now_us())
            return
        place, corrections = "", []
        for standing in decision.standings:
            bucket = standing.claim.bucket
            if standing.place:
                place = standing.place
                self._alone.settle(msgspec.structs.replace(decision, standings=(standing,)), 0, self._now_us())
                corrections.append(Correction(bucket))
            elif owed := standing.settle(tokens):
                left_us = self._blocks.settle(standing, owed) if standing.claim.rule.lease else owed
                if left_us:
                    corrections.append(Correction(bucket, left_us, standing.hold))
            self._refusals.forget(bucket)
        if corrections:
            self._send(_Settlement(decision.slot, place, tuple(corrections)))

    # --- for operators -------------------------------------------------------------------------------------------

    async def levels(self) -> list[Standing]:
        """Return the standing of the buckets that this replica used, from Redis or else from this process."""
        found: list[Standing] = []
        if not self._link.up:
            return self._levels_alone()
        try:
            for slot, claims in self._seen.by_slot().items():
                found += await self._store.read(slot, claims)
        except StateLostError:
            return []
        return found

    # --- for the link --------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Count the replicas, give back unused leases, and send the settlements that are still due."""
        self._replicas = max(self._replicas_least, await self._store.beat(ALIVE_MS))
        self._return_leases()
        for _ in range(len(self._unsettled)):
            self._send(self._unsettled.popleft(), up=True)

    def lost(self) -> None:
        """Continue without Redis."""
        self._blocks.drop()

    def _levels_alone(self) -> list[Standing]:
        everything = part_of(Ask(tuple(claim for _, claim in self._seen.all()), "", 0.0), self._replicas)
        return [self._alone.read(claim, self._now_us()) for claim in everything.claims]

    def _decide_alone(self, ask: Ask, now_us: int) -> Decision:
        match self._fail:
            case "local":
                for claim in ask.claims:  # the level of a bucket applies to each part of its limit as to the whole
                    self._alone.fill(claim, self._levels.take(claim.bucket, now_us), now_us)
                return self._alone.acquire(part_of(ask, self._replicas), now_us)
            case "open":
                return Decision((), ask.slot, admitted=True, alone=True)
            case "closed":
                raise out_of_reach("Rate limits are shared through")

    async def _lease(self, ask: Ask) -> Decision:
        wants = self._blocks.wants(ask)
        self._return_leases()  # in the same packet, and before
        filled = False
        try:
            decision, taken_us = await self._put(ask, wants)
            self._refusals.note(decision, self._now_us())
            if decision.admitted:
                self._blocks.fill(wants, decision, taken_us, self._now_us())
                filled = True
            return decision
        finally:
            if not filled:
                self._blocks.give_up(ask, wants)

    async def _ask(self, ask: Ask, wants: Sequence[Want]) -> Decision:
        decision, _ = await self._put(ask, wants)
        refusal = decision.refusal
        if (
            refusal is not None and refusal.claim.rule.rate is None
        ):  # the place of an ended call may be about to be given back
            await self._clock.sleep(PLACE_SOON_S)
            decision, _ = await self._put(ask, wants)
        self._refusals.note(decision, self._now_us())
        return decision

    async def _put(self, ask: Ask, wants: Sequence[Want]) -> tuple[Decision, tuple[int, ...]]:
        """Ask Redis; a grant that arrives when nobody waits for it any more is given back."""
        place, answer = self._store.acquiring(ask, wants)
        try:
            decided = decision_of(ask, place, await self._link.ask(answer))
        except (StateLostError, asyncio.CancelledError):
            answer.add_done_callback(lambda late: self._give_back(ask, place, late))
            raise
        now_us = self._now_us()
        self._levels.note(decided[0], now_us)
        for standing in decided[0].standings:
            if standing.place:  # counts for this process's part if Redis is lost meanwhile
                self._alone.hold(standing, now_us + round(ask.hold_s * US_PER_S))
        return decided

    def _give_back(self, ask: Ask, place: str, answer: asyncio.Future[Any]) -> None:
        """Settle what was granted. Places are given back even if the grant is unknown, which is harmless."""
        if arrived(answer):
            decision, _ = decision_of(ask, place, answer.result())
            if decision.admitted:
                self.settle(decision, 0)
            return
        places = tuple([Correction(claim.bucket) for claim in ask.claims if claim.rule.rate is None])
        if places:
            self._send(_Settlement(ask.slot, place, places))

    def _return_leases(self) -> None:
        for slot, correction in self._blocks.leftovers(self._now_us()):
            self._send(_Settlement(slot, "", (correction,)))

    def _send(self, settlement: _Settlement, *, up: bool = False) -> None:
        if not (up or self._link.up):
            self._unsettled.append(settlement)
            return

        def answered(answer: asyncio.Future[Any]) -> None:
            if not answer.cancelled() and answer.exception() is not None:
                self._unsettled.append(settlement)

        future = self._store.settling(settlement.slot, settlement.place, settlement.corrections)
        future.add_done_callback(answered)

    def _now_us(self) -> int:
        return int(self._clock.now() * US_PER_S)
