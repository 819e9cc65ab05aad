"""Amounts of money, and the rules for spending it. Amounts are whole nano-dollars, so that sums are exact."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import msgspec

NANO: Final = 1_000_000_000  # of them are a US dollar

Scope: TypeAlias = Literal["global", "key", "user", "team", "model", "provider", "route"]
Period: TypeAlias = Literal["hour", "day", "week", "month", "total"]


def nano(usd: float) -> int:
    """Return an amount of dollars in nano-dollars."""
    return round(usd * NANO)


def usd(nanos: int) -> float:
    """Return an amount of nano-dollars in dollars."""
    return nanos / NANO


def dollars(nanos: int) -> str:
    """Spell an amount for people: with cents, and with as many digits more as it has."""
    return f"${usd(nanos):.2f}" if nanos % (NANO // 100) == 0 else f"${usd(nanos):.9f}".rstrip("0")


class Budget(msgspec.Struct, frozen=True):
    """
    One rule: at most `limit_nusd` per `period` of the calendar (UTC), or within `window_s` if that is given.

    It holds for each subject of `per` by itself. A `hard` one refuses calls, another one only tells. `warn` are the
    shares of the limit that are told when they are reached.
    """

    name: str
    limit_nusd: int
    per: tuple[Scope, ...] = ("global",)
    period: Period = "month"
    window_s: float | None = None
    hard: bool = True
    warn: tuple[float, ...] = (0.5, 0.8, 1.0)
