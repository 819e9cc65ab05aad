"""
Rate limits in Redis: the decisions of `MemoryLimits` as scripts, so that all replicas share them.

All keys of one call have the same hash tag, and so share one slot of a cluster. The tag is what the buckets of the call
have in common, so limits per key spread over the cluster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from app.core.gcra import US_PER_S, Hold
from app.core.rules import NEVER, PLACE_WAIT_US, Ask, Claim, Decision, Standing, overlooked
from app.state.link import Argument, Submit, decision

_RATE, _PLACE = "rate", "place"
_NUMBERS = 6  # in a decision, for each claim


class Want(msgspec.Struct, frozen=True):
    """A claim on one bucket: work that has to fit, and how much more is taken if available."""

    charge_us: int
    more_us: int = 0


class Correction(msgspec.Struct, frozen=True):
    """A settlement of one bucket: the work that is owed under a hold or, without one, a place to give back."""

    bucket: str
    owed_us: int = 0
    hold: Hold | None = None


class RedisLimits:
    """The decisions about any number of rules; `name` is the unique name of this replica."""

    def __init__(self, submit: Submit, prefix: str, name: str) -> None:
        self._submit = submit
        self._prefix = prefix
        self._name = name
        self._granted = 0

    def acquiring(self, ask: Ask, wants: Sequence[Want]) -> tuple[str, asyncio.Future[Any]]:
        """
        Ask for all claims or none; `decision_of` decodes the future's answer.

        `wants` has one entry per claim. Also returns the name under which places are held, if any are granted.
        """
        self._granted += 1
        place = f"{self._name}:{self._granted}"
        hold_us = round(ask.hold_s * US_PER_S)
        arguments: list[Argument] = [place]
        for claim, want in zip(ask.claims, wants, strict=True):
            arguments += _wanted(claim, want, hold_us)
        keys = self._keys(ask.slot, ask.claims)
        return place, self._submit(decision("limits_acquire", keys, *arguments))

    def settling(self, slot: str, place: str, corrections: Sequence[Correction]) -> asyncio.Future[Any]:
        """Settle some buckets of one call."""
        arguments: list[Argument] = [place]
        for each in corrections:
            hold = each.hold
            arguments += (
                ("", "", "", "") if hold is None else (each.owed_us, hold.served_us, hold.moved_us, hold.born_us)
            )
        keys = tuple([self._key(slot, each.bucket) for each in corrections])
        return self._submit(decision("limits_settle", keys, *arguments))

    async def read(self, slot: str, claims: Sequence[Claim]) -> list[Standing]:
        """Read the buckets of some claims of one slot."""
        kinds = [_PLACE if claim.rule.rate is None else _RATE for claim in claims]
        used = await self._submit(decision("limits_read", self._keys(slot, claims), *kinds))
        return [Standing(claim, 0, work) for claim, work in zip(claims, used, strict=True)]

    async def beat(self, alive_ms: int) -> int:
        """Report that this replica is alive, and return the number of replicas that did so within `alive_ms`."""
        alive: int = await self._submit(
            decision("replicas_beat", (f"{{{self._prefix}:limits}}:replicas",), self._name, alive_ms)
        )
        return alive

    def _keys(self, slot: str, claims: Sequence[Claim]) -> tuple[str, ...]:
        return tuple([self._key(slot, claim.bucket) for claim in claims])

    def _key(self, slot: str, bucket: str) -> str:
        return f"{{{self._prefix}:limits:{slot}}}:{bucket}"


def decision_of(ask: Ask, place: str, answer: Sequence[int]) -> tuple[Decision, tuple[int, ...]]:
    """Decode the script's answer; also return the work that was taken from each bucket."""
    standings, taken = [], []
    for position, claim in enumerate(ask.claims):
        at = 1 + position * _NUMBERS
        wait_us, used, work_us, served_us, moved_us, born_us = answer[at : at + _NUMBERS]
        taken.append(work_us)
        if not work_us:
            standings.append(Standing(claim, _wait_us(claim, wait_us), used))
        elif claim.rule.rate is None:
            standings.append(Standing(claim, 0, used, place=place))
        else:
            standings.append(Standing(claim, 0, used, Hold(served_us, moved_us, born_us)))
    return Decision(tuple(standings), ask.slot, answer[0] == 1, overlooked(standings)), tuple(taken)


def _wait_us(claim: Claim, wait_us: int) -> int:
    rate = claim.rule.rate
    return NEVER if wait_us and rate is not None and claim.charge_us > rate.room_us else wait_us


def _wanted(claim: Claim, want: Want, hold_us: int) -> tuple[Argument, ...]:
    rule = claim.rule
    if rule.rate is None:
        return (_PLACE, int(rule.shadow), rule.most, hold_us, PLACE_WAIT_US)
    return (_RATE, int(rule.shadow), want.charge_us, rule.rate.room_us, want.more_us)
