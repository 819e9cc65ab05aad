"""
Budgets: how much may be spent, on whose account, and in which time. Pure.

A budget is kept on as many *accounts* as it has subjects and periods: that of one key in November is another one than
in December. What a call will cost is held on all its accounts before it is sent, and settled to what it did cost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from app.core.call import Call, Target
from app.core.money import Budget, Period, Scope

BUCKETS: Final = 60  # of a rolling window: what is counted is between 59/60 and the whole of it
HOLD_S: Final = 900.0  # longer than any answer takes; after that a hold belongs to a process that died
_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_LONGEST_S: Final[Mapping[Period, int]] = MappingProxyType(
    {"hour": _HOUR_S, "day": _DAY_S, "week": 7 * _DAY_S, "month": 31 * _DAY_S, "total": 366 * _DAY_S}
)


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


class Hold(msgspec.Struct, frozen=True):
    """What a call may spend on its accounts until it is settled."""

    id: str
    accounts: tuple[Account, ...]
    amount_nusd: int


class Refused(msgspec.Struct, frozen=True):
    """The first account on which there is not enough left, and its level."""

    account: Account
    level: Level


class Budgets(Protocol):
    """What may be spent, decided here or for all replicas."""

    async def reserve(self, accounts: Sequence[Account], amount_nusd: int) -> Hold:
        """
        Hold an amount on every account, or on none; the hold must come back by `settle`.

        Raises:
            GatewayError: INSUFFICIENT_QUOTA, or STATE_UNAVAILABLE where shared state is out of reach and the policy for
                that is to refuse.
        """
        ...

    def settle(self, hold: Hold, amount_nusd: int) -> None:
        """Exchange a hold for what was really spent. Never waits, never raises."""
        ...

    async def levels(self, accounts: Sequence[Account]) -> list[Level]:
        """Return what was spent on accounts, and what is held."""
        ...


def accounts_of(budgets: Sequence[Budget], call: Call, target: Target, wall_s: float) -> tuple[Account, ...]:
    """Return the accounts that a call to `target` spends on; it has none with budgets for a subject that it lacks."""
    return tuple(_accounts(budgets, call, target, wall_s))


def _accounts(budgets: Sequence[Budget], call: Call, target: Target, wall_s: float) -> Iterator[Account]:
    for budget in budgets:
        subjects = [_SUBJECTS[scope](call, target) for scope in budget.per]
        if None not in subjects:
            yield account(budget, "|".join([subject or "" for subject in subjects]), wall_s)


# Whose budget it is; None if the call belongs to nobody of that kind.
_SUBJECTS: Final[Mapping[Scope, Callable[[Call, Target], str | None]]] = MappingProxyType(
    {
        "global": lambda _call, _target: "",
        "key": lambda call, _target: call.caller.id,
        "user": lambda call, _target: call.caller.user or call.request.user,
        "team": lambda call, _target: call.caller.team,
        "model": lambda _call, target: target.name,
        "provider": lambda _call, target: target.provider,
        "route": lambda call, _target: call.route,
    }
)


def account(budget: Budget, subject: str, wall_s: float) -> Account:
    """Return the account of one subject at one time."""
    if budget.window_s is not None:
        width_ms = max(1, round(budget.window_s * 1000 / BUCKETS))
        return Account(f"{budget.name}|{subject}|rolling", budget, width_ms, 2 * BUCKETS * width_ms, None)
    name, ends_s = _period(budget.period, int(wall_s // _HOUR_S))
    longest_s = _LONGEST_S[budget.period] + HOLD_S
    return Account(f"{budget.name}|{subject}|{name}", budget, 0, round(longest_s * 1000), ends_s)


@lru_cache(maxsize=32)  # all periods begin and end on the hour, and calendars are slow
def _period(period: Period, hour: int) -> tuple[str, float | None]:
    """Return the name of the period that an hour since the epoch is in, and when it ends."""
    if period == "total":
        return "total", None
    now = datetime.fromtimestamp(hour * _HOUR_S, UTC)
    if period == "hour":
        return f"{now:%Y-%m-%dT%H}", (now + timedelta(hours=1)).timestamp()
    day = now.replace(hour=0)
    if period == "day":
        return f"{day:%Y-%m-%d}", (day + timedelta(days=1)).timestamp()
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return f"{monday:%G-W%V}", (monday + timedelta(days=7)).timestamp()
    first = day.replace(day=1)
    return f"{first:%Y-%m}", (first + timedelta(days=32)).replace(day=1).timestamp()


def reached(budget: Budget, before_nusd: int, now_nusd: int) -> tuple[float, ...]:
    """Return the shares of the budget that spending has reached between two levels."""
    return tuple(share for share in budget.warn if before_nusd < share * budget.limit_nusd <= now_nusd)
