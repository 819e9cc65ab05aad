"""Which budgets apply to a call: the accounts that it spends on, the amount to hold, and the period. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from app.core.accounts import BUCKETS, HOLD_S, Account, Charge
from app.core.call import Call, Target
from app.core.money import Budget, Period, Scope
from app.core.spending.prices import Price, estimate_nusd

_HOUR_S: Final = 3_600
_DAY_S: Final = 86_400
_LONGEST_S: Final[Mapping[Period, int]] = MappingProxyType(
    {"hour": _HOUR_S, "day": _DAY_S, "week": 7 * _DAY_S, "month": 31 * _DAY_S, "total": 366 * _DAY_S}
)


def charge_of(
    budgets: Sequence[Budget], call: Call, target: Target, price: Price | None, wall_s: float
) -> Charge | None:
    """Return what to hold for a call to `target`, by `budgets` and those of its caller; None if there is nothing to."""
    rules = (*budgets, *call.caller.budgets)
    if not rules or price is None or price.free:
        return None
    accounts = accounts_of(rules, call, target, wall_s)
    return Charge(accounts, estimate_nusd(call, price)) if accounts else None


def accounts_of(budgets: Sequence[Budget], call: Call, target: Target, wall_s: float) -> tuple[Account, ...]:
    """Return the accounts that a call to `target` spends on; budgets per subject that the call lacks do not apply."""
    return tuple(_accounts(budgets, call, target, wall_s))


def _accounts(budgets: Sequence[Budget], call: Call, target: Target, wall_s: float) -> Iterator[Account]:
    for budget in budgets:
        subjects = [_SUBJECTS[scope](call, target) for scope in budget.per]
        if None not in subjects:
            yield account(budget, "|".join([subject or "" for subject in subjects]), wall_s)


# The subject of a budget by scope; None if the call has none of that kind.
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
    """Return the account of a subject in the period of `wall_s`, seconds since the epoch."""
    if budget.window_s is not None:
        width_ms = max(1, round(budget.window_s * 1000 / BUCKETS))
        return Account(f"{budget.name}|{subject}|rolling", budget, width_ms, 2 * BUCKETS * width_ms, None)
    name, ends_s = _period(budget.period, int(wall_s // _HOUR_S))
    longest_s = _LONGEST_S[budget.period] + HOLD_S
    return Account(f"{budget.name}|{subject}|{name}", budget, 0, round(longest_s * 1000), ends_s)


@lru_cache(maxsize=32)  # all periods begin and end on the hour, and calendars are slow
def _period(period: Period, hour: int) -> tuple[str, float | None]:
    """Return the name of the period that an hour, counted from the epoch, is in, and when it ends."""
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
    """Return the warning thresholds, shares of the limit, that spending has crossed between two levels."""
    return tuple(share for share in budget.warn if before_nusd < share * budget.limit_nusd <= now_nusd)
