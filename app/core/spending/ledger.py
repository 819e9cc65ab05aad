"""What was used, added up by day, key and model: the rows of usage reports. Pure."""

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
    """What a row is about; `day` is that of UTC, as in 2026-11-26, and `key` the id of a virtual key."""

    day: str
    key: str
    team: str
    route: str
    provider: str
    model: str


class UsageRow(msgspec.Struct, frozen=True):
    """
    Counts and amounts of one row.

    `attempts` are requests that providers got, `estimated` those whose usage they did not report, and `unpriced` those
    of which nobody knows the price; what these cost is not in `cost_nusd`.
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
        """Add up two rows."""
        return UsageRow(*map(add, astuple(self), astuple(other)))


COUNTS: Final = UsageRow.__struct_fields__


class UsageReader(Protocol):
    """Knows what was used."""

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """
        Return the sums of the days from one to another, ISO dates of UTC.

        Raises:
            GatewayError: STATE_UNAVAILABLE.
        """


class Sums:
    """Adds up attempts, row by row, until they are taken."""

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
        """Return the rows so far, and begin anew."""
        rows, self._rows = self._rows, {}
        return {UsageKey(*place): UsageRow(*row) for place, row in rows.items()}


@lru_cache(maxsize=4)  # of UTC, counted from the epoch; a day has many calls, and calendars are slow
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * _DAY_S, UTC).strftime("%Y-%m-%d")


def report(rows: Iterable[tuple[UsageKey, UsageRow]], by: Sequence[str]) -> list[tuple[tuple[str, ...], UsageRow]]:
    """Add up rows that agree in the dimensions `by`, sorted by them."""
    found: dict[tuple[str, ...], UsageRow] = {}
    for key, row in rows:
        group = tuple(str(getattr(key, name)) for name in by)
        found[group] = found.get(group, UsageRow()).plus(row)
    return sorted(found.items(), key=lambda entry: entry[0])
