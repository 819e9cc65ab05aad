"""Usage, summed by day, key, team, route, provider and model: the rows of usage reports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from operator import add
from typing import Final, Protocol

import msgspec
from msgspec.structs import astuple

from app.core.signals import Spent

_DAY_S: Final = 86_400
DIMENSIONS: Final = ("day", "key", "team", "route", "provider", "model")


class UsageKey(msgspec.Struct, frozen=True):
    """The dimensions of a row; `day` is an ISO date of UTC, `key` the id of a virtual key."""

    day: str
    key: str
    team: str
    route: str
    provider: str
    model: str


class UsageRow(msgspec.Struct, frozen=True):
    """
    The counts and amounts of one row.

    `attempts` are requests sent to providers, `estimated` those without reported usage, `unpriced` those without a
    known price, which `cost_nusd` leaves out.
    """

    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nusd: int = 0
    estimated: int = 0
    unpriced: int = 0

    def plus(self, other: UsageRow) -> UsageRow:
        """Return the sum of two rows."""
        return UsageRow(*map(add, astuple(self), astuple(other)))


COUNTS: Final = UsageRow.__struct_fields__


class UsageReader(Protocol):
    """Reads recorded usage."""

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """
        Return the rows of `first_day` to `last_day`, inclusive, ISO dates of UTC.

        Raises:
            GatewayError: STATE_UNAVAILABLE.
        """


class Sums:
    """Sums up attempts by row until the rows are taken."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, ...], list[int]] = {}  # by the fields of a key, and in the order of `COUNTS`

    def count(self, spent: Spent) -> None:
        """Add an attempt."""
        day = _day(int(spent.at // _DAY_S))
        place = (day, spent.key, spent.team, spent.route, spent.provider, spent.model)
        row = self._rows.get(place)
        if row is None:
            row = self._rows[place] = [0] * len(COUNTS)
        usage = spent.usage
        row[0] += 1
        row[1] += usage.prompt_tokens
        row[2] += usage.completion_tokens
        row[3] += usage.cached_tokens
        row[4] += usage.reasoning_tokens
        row[5] += spent.cost_nusd or 0
        row[6] += spent.estimated
        row[7] += spent.cost_nusd is None

    def take(self) -> dict[UsageKey, UsageRow]:
        """Return the rows so far, and reset them."""
        rows, self._rows = self._rows, {}
        return {UsageKey(*place): UsageRow(*row) for place, row in rows.items()}


@lru_cache(maxsize=4)  # strftime is slow, and a day has many calls
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY_S, UTC).strftime("%Y-%m-%d")


def report(rows: Iterable[tuple[UsageKey, UsageRow]], by: Sequence[str]) -> list[tuple[tuple[str, ...], UsageRow]]:
    """Return the sums of rows grouped by the dimensions `by`, sorted by them."""
    groups: dict[tuple[str, ...], UsageRow] = {}
    for key, row in rows:
        group = tuple(str(getattr(key, name)) for name in by)
        groups[group] = groups.get(group, UsageRow()).plus(row)
    return sorted(groups.items(), key=lambda entry: entry[0])
