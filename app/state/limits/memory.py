"""Rate limits in the memory of this process. Nothing here waits, hence every decision is atomic under asyncio."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from app.core.clock import Clock
from app.core.gcra import US_PER_S, YEAR_US, Bucket, wait_us
from app.core.rules import NEVER, PLACE_WAIT_US, Ask, Claim, Decision, Standing, overlooked

BUCKETS_MAX = 100_000  # about 30 MB; callers choose users and sessions, so the table must be bounded
_SWEEP_MIN = 1024
SEEN_MAX = 512  # buckets shown to operators; users and sessions have far more


class _Places(msgspec.Struct):
    """Taken places by name, with the time at which each expires; none expires before `first_us`."""

    held: dict[str, int]
    first_us: int

    def at(self, now_us: int) -> dict[str, int]:
        """Return the taken places, after freeing the expired ones of calls that never settled."""
        if self.first_us <= now_us:
            self.held = {place: till_us for place, till_us in self.held.items() if till_us > now_us}
            self.first_us = min(self.held.values(), default=now_us + YEAR_US)
        return self.held


class MemoryLimits:
    """
    The buckets and places of any number of rules; `now_us` is the time of each decision, of one clock.

    Args:
        alone: The flag on its decisions.

        buckets_max: Beyond this number the oldest bucket is forgotten, even if it is not empty.
    """

    def __init__(self, *, alone: bool = False, buckets_max: int = BUCKETS_MAX) -> None:
        self._alone = alone
        self._buckets_max = buckets_max
        self._buckets = defaultdict[str, Bucket](self._new_bucket)
        self._places: dict[str, _Places] = {}
        self._sweep_at = _SWEEP_MIN
        self._granted = self._made = 0

    @property
    def held(self) -> int:
        """Return the number of buckets in memory."""
        return len(self._buckets) + len(self._places)

    def acquire(self, ask: Ask, now_us: int) -> Decision:
        """Take all claims, or none."""
        if len(self._buckets) >= self._sweep_at:
            self._sweep(now_us)
        till_us = now_us + round(ask.hold_s * US_PER_S)
        taken: list[Standing] = []
        for claim in ask.claims:
            standing = self._take(claim, now_us, till_us)
            if standing is None:
                self._undo(taken)
                return self._acquire_some(ask, now_us, till_us)
            taken.append(standing)
        return Decision(tuple(taken), ask.slot, admitted=True, alone=self._alone)

    def fill(self, claim: Claim, work_us: int, now_us: int) -> None:
        """Raise the level of a claim's bucket to this much work."""
        if work_us:
            bucket = self._buckets[claim.bucket]
            bucket.served_us = max(bucket.served_us, now_us + work_us)

    def hold(self, standing: Standing, till_us: int) -> None:
        """Count a place that was granted elsewhere, until it is settled."""
        places = self._places.setdefault(standing.claim.bucket, _Places({}, till_us))
        places.held[standing.place] = till_us
        places.first_us = min(places.first_us, till_us)

    def settle(self, decision: Decision, tokens: int, now_us: int) -> None:
        """Give back places, and replace reserved tokens by actual ones."""
        for standing in decision.standings:
            if standing.place:
                self._leave(standing)
            elif standing.hold is not None and (owed_us := standing.settle(tokens)):
                self._buckets[standing.claim.bucket].settle(now_us, standing.hold, owed_us)

    def read(self, claim: Claim, now_us: int) -> Standing:
        """Read without changes."""
        rate = claim.rule.rate
        if rate is None:
            places = self._places.get(claim.bucket)
            used = 0 if places is None else len(places.at(now_us))
            return Standing(claim, 0 if used < claim.rule.most else PLACE_WAIT_US, used)
        bucket = self._buckets.get(claim.bucket)
        used = 0 if bucket is None else bucket.used_us(now_us)
        if claim.charge_us > rate.room_us:
            return Standing(claim, NEVER, used)
        return Standing(claim, wait_us(used, claim.charge_us, rate.room_us), used)

    def _acquire_some(self, ask: Ask, now_us: int, till_us: int) -> Decision:
        """Decide about an ask with claims that do not fit: rules in shadow mode do not refuse it."""
        standings = [self.read(claim, now_us) for claim in ask.claims]
        admitted = all(each.claim.rule.shadow for each in standings if each.wait_us)
        if admitted:
            standings = [self._take(each.claim, now_us, till_us) or each for each in standings]
        return Decision(tuple(standings), ask.slot, admitted, overlooked(standings), alone=self._alone)

    def _take(self, claim: Claim, now_us: int, till_us: int) -> Standing | None:
        """Take one claim; return None if it does not fit."""
        rate = claim.rule.rate
        if rate is None:
            return self._take_place(claim, now_us, till_us)
        hold = self._buckets[claim.bucket].take(now_us, claim.charge_us, rate.room_us)
        return None if hold is None else Standing(claim, 0, hold.served_us - now_us, hold)

    def _take_place(self, claim: Claim, now_us: int, till_us: int) -> Standing | None:
        places = self._places.get(claim.bucket)
        if places is None:
            places = self._places[claim.bucket] = _Places({}, till_us)
        held = places.at(now_us)
        if len(held) >= claim.rule.most:
            return None
        self._granted += 1
        place = f"p{self._granted}"
        held[place] = till_us
        places.first_us = min(places.first_us, till_us)
        return Standing(claim, 0, len(held), place=place)

    def _undo(self, taken: Iterable[Standing]) -> None:
        for standing in taken:
            if standing.hold is None:
                self._leave(standing)
            else:
                self._buckets[standing.claim.bucket].undo(standing.claim.charge_us)

    def _new_bucket(self) -> Bucket:
        """Return an empty bucket with a unique birth: a counter serves as well as the time."""
        self._made += 1
        return Bucket(0, 0, self._made)

    def _leave(self, standing: Standing) -> None:
        name = standing.claim.bucket
        places = self._places.get(name)
        if places is not None:
            places.held.pop(standing.place, None)
            if not places.held:
                del self._places[name]

    def _sweep(self, now_us: int) -> None:
        """Forget empty buckets, and the oldest ones if there are still too many."""
        kept = [(name, bucket) for name, bucket in self._buckets.items() if bucket.served_us > now_us]
        self._buckets = defaultdict(self._new_bucket, kept[-self._buckets_max :])
        self._sweep_at = max(_SWEEP_MIN, min(2 * len(self._buckets), self._buckets_max + _SWEEP_MIN))


class Seen:
    """The most recently used buckets, for operators."""

    def __init__(self) -> None:
        self._claims: dict[str, tuple[str, Claim]] = {}

    def note(self, ask: Ask) -> None:
        """Remember the buckets of one call."""
        for claim in ask.claims:
            if claim.bucket not in self._claims:
                self._claims[claim.bucket] = (ask.slot, claim)
                if len(self._claims) > SEEN_MAX:
                    del self._claims[next(iter(self._claims))]

    def all(self) -> Iterator[tuple[str, Claim]]:
        """Iterate over slot and claim of each."""
        yield from self._claims.values()

    def by_slot(self) -> dict[str, list[Claim]]:
        """Return the claims by their slot."""
        found: dict[str, list[Claim]] = {}
        for slot, claim in self._claims.values():
            found.setdefault(slot, []).append(claim)
        return found


class LocalLimits:
    """The `Limits` of one process; with `parts`, of one of several, which has its part of each limit."""

    def __init__(self, clock: Clock, parts: int = 1) -> None:
        self._clock = clock
        self._parts = parts
        self._limits = MemoryLimits()
        self._seen = Seen()

    async def acquire(self, ask: Ask) -> Decision:
        """Decide at once."""
        if self._parts > 1:
            ask = part_of(ask, self._parts)
        self._seen.note(ask)
        return self._limits.acquire(ask, self._now_us())

    def settle(self, decision: Decision, tokens: int) -> None:
        """Settle at once."""
        self._limits.settle(decision, tokens, self._now_us())

    async def levels(self) -> list[Standing]:
        """Return the standing of the buckets in use."""
        now_us = self._now_us()
        return [self._limits.read(claim, now_us) for _, claim in self._seen.all()]

    def _now_us(self) -> int:
        return int(self._clock.now() * US_PER_S)


def part_of(ask: Ask, parts: int) -> Ask:
    """
    Return an ask scaled to one of several processes that cannot reach their shared state.

    A single call that is larger than this part counts as large as the part: it is not impossible for good.
    """
    return Ask(tuple([_part_of(claim, parts) for claim in ask.claims]), ask.slot, ask.hold_s, ask.prompt)


def _part_of(claim: Claim, parts: int) -> Claim:
    rule = claim.rule
    if rule.rate is None:
        return msgspec.structs.replace(claim, rule=msgspec.structs.replace(rule, most=max(1, rule.most // parts)))
    if claim.charge_us > rule.rate.room_us:
        return claim  # impossible in any case
    rate = rule.rate.shared_by(parts)
    charge_us = min(rate.charge_us(claim.units), rate.room_us)
    return Claim(msgspec.structs.replace(rule, rate=rate, most=rate.burst), claim.bucket, claim.units, charge_us)
