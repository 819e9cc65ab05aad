"""
Accounts of what was spent, and the port to whoever keeps them.

A budget is kept on as many *accounts* as it has subjects and periods: that of one key in November is another one than
in December. What a call will cost is held on all its accounts before it is sent, and settled to what it did cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol

import msgspec

from app.core.money import Budget

BUCKETS: Final = 60  # of a rolling window: what is counted is between 59/60 and the whole of it
HOLD_S: Final = 900.0  # longer than any answer takes; after that a hold belongs to a process that died


class Account(msgspec.Struct, frozen=True):
    """
    Where spending is counted: `id` names budget, subject and period.

    `width_ms` is that of a bucket, 0 for a calendar's; `ttl_ms` is how long it matters at least. `ends_s` is the wall
    time at which a calendar's period is over.
    """

    id: str
    budget: Budget
    width_ms: int
    ttl_ms: int
    ends_s: float | None


class Level(msgspec.Struct, frozen=True):
    """What was spent on an account, and what is held for calls under way, in nano-dollars."""

    spent_nusd: int
    held_nusd: int


class Charge(msgspec.Struct, frozen=True):
    """What a call has to hold before it may ask a target: the most that it may cost there, on each of the accounts."""

    accounts: tuple[Account, ...]
    amount_nusd: int


class Hold(msgspec.Struct, frozen=True):
    """What a call may spend on its accounts until it is settled; `alone` if only this process knows of it."""

    id: str
    accounts: tuple[Account, ...]
    amount_nusd: int
    alone: bool = False


class Refused(msgspec.Struct, frozen=True):
    """The first account on which there is not enough left, and its level."""

    account: Account
    level: Level


class Ahead(Protocol):
    """What a call asked its budgets for before its target was chosen; it is used once, and the rest is dropped."""

    async def take(self, charge: Charge) -> Hold | None:
        """
        Return a hold that covers a charge, None if the charge has to be reserved.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, where a reservation would say the same.
        """

    def drop(self) -> None:
        """Give back what was not taken; never waits, and may be called again."""


class Budgets(Protocol):
    """What may be spent, decided here or for all replicas."""

    def ahead(self, charges: Sequence[Charge]) -> Ahead | None:
        """Ask for what a call may have to hold together with whatever else it asks; None if nothing is gained by it."""

    async def reserve(self, charge: Charge) -> Hold:
        """
        Hold an amount on every account, or on none; the hold must come back by `settle`.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, or STATE_UNAVAILABLE where shared state is out of reach and the policy for
                that is to refuse.
        """

    def settle(self, hold: Hold, amount_nusd: int) -> None:
        """Exchange a hold for what was really spent. Never waits, never raises."""

    async def levels(self, accounts: Sequence[Account]) -> list[Level]:
        """Return what was spent on accounts, and what is held."""
