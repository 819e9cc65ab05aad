"""What was used, added up by day, key and model: the rows of usage reports. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

from app.core.signals import Spent

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
        return UsageRow(*[getattr(self, name) + getattr(other, name) for name in COUNTS])


COUNTS: Final = UsageRow.__struct_fields__


def row_of(spent: Spent) -> tuple[UsageKey, UsageRow]:
    """Return what one attempt adds."""
    day = datetime.fromtimestamp(spent.at, UTC).strftime("%Y-%m-%d")
    usage = spent.usage
    row = UsageRow(
        attempts=1,
        prompt_tokens=usage.prompt_tokens,
        completion_tokens=usage.completion_tokens,
        cached_tokens=usage.cached_tokens,
        reasoning_tokens=usage.reasoning_tokens,
        cost_nusd=spent.cost_nusd or 0,
        estimated=int(spent.estimated),
        unpriced=int(spent.cost_nusd is None),
    )
    return UsageKey(day, spent.key, spent.team, spent.route, spent.provider, spent.model), row


def report(rows: Iterable[tuple[UsageKey, UsageRow]], by: Sequence[str]) -> list[tuple[tuple[str, ...], UsageRow]]:
    """Add up rows that agree in the dimensions `by`, sorted by them."""
    found: dict[tuple[str, ...], UsageRow] = {}
    for key, row in rows:
        group = tuple(str(getattr(key, name)) for name in by)
        found[group] = found[group].plus(row) if group in found else row
    return sorted(found.items(), key=lambda entry: entry[0])


def added(one: Mapping[UsageKey, UsageRow], key: UsageKey, row: UsageRow) -> UsageRow:
    """Return what stands at `key` once `row` is added."""
    before = one.get(key)
    return row if before is None else before.plus(row)
