"""Usage in Redis, which all replicas share: a hash for each day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

import msgspec

from app.core.spending.ledger import COUNTS, UsageKey, UsageRow
from app.state.link import Command, Link, all_of, decision, pairs_of
from app.state.usage.book import Rows

_DAY_S: Final = 86_400
_DAYS_AT_ONCE: Final = 400  # that one report may ask for


class RedisUsage:
    """Keeps sums for `retention_days`; refuses rows while Redis is out of reach."""

    shared = True

    def __init__(self, link: Link, retention_days: int) -> None:
        self._link = link
        self._prefix = f"{{{link.key_prefix}:usage}}:"
        self._ttl_s = (retention_days + 1) * _DAY_S

    async def add(self, batch: str, rows: Rows) -> None:
        """Add day by day; a day that this batch added before is skipped, so that the batch may be repeated."""
        days: dict[str, list[str | int]] = {}
        for key, row in rows.items():
            place = [key.key, key.team, key.route, key.provider, key.model]
            for count in COUNTS:
                amount = getattr(row, count)
                if amount:
                    field = msgspec.json.encode([*place, count]).decode()
                    days.setdefault(key.day, []).extend((field, amount))
        commands = [
            decision("usage_add", (self._prefix + day, f"{self._prefix}done:{batch}:{day}"), self._ttl_s, *words)
            for day, words in days.items()
        ]
        await all_of(self._link, commands)

    async def read(self, first_day: str, last_day: str) -> list[tuple[UsageKey, UsageRow]]:
        """Ask for each day."""
        days = list(_days(first_day, last_day))[-_DAYS_AT_ONCE:]
        found = await all_of(self._link, [Command(("HGETALL", self._prefix + day)) for day in days])
        rows: dict[UsageKey, dict[str, int]] = {}
        for day, answer in zip(days, found, strict=True):
            for field, amount in pairs_of(answer):
                key, team, route, provider, model, count = msgspec.json.decode(field, type=list[str])
                rows.setdefault(UsageKey(day, key, team, route, provider, model), {})[count] = int(amount)
        return [(key, msgspec.convert(counts, UsageRow)) for key, counts in rows.items()]

    async def prune(self, first_day: str) -> None:
        """Do nothing: Redis expires the keys."""

    async def aclose(self) -> None:
        """Do nothing: the link belongs to the process."""


def _days(first_day: str, last_day: str) -> Iterator[str]:
    day, last = date.fromisoformat(first_day), date.fromisoformat(last_day)
    while day <= last:
        yield day.isoformat()
        day += timedelta(days=1)
