"""Budgets, prices and stores of usage that do not fit together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.config.checks.complaint import REDIS_URL, Complaint, Names, unknown_provider
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def spending(settings: Settings, names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find budgets of one name, prices of unknown providers, and stores without a place."""
    seen: set[str] = set()
    for index, budget in enumerate(settings.budgets):
        if budget.name in seen:
            yield ("budgets", index, "name"), Complaint(repr(budget.name), "a name of its own", "choose another one")
        seen.add(budget.name)
    for name in settings.prices:
        provider, *model = re.split(r"[/:]", name, maxsplit=1)
        if not model or provider not in names.providers:
            yield ("prices", name), unknown_provider(name, provider, names)
    usage = settings.usage
    if usage.store == "sqlite" and not usage.path:
        yield ("usage", "path"), Complaint(MISSING, "a file: store sqlite keeps usage in one", "name the file")
    if usage.store == "redis" and settings.redis.url is None:
        expected = "another store, as redis.url is null"
        yield ("usage", "store"), Complaint("'redis'", expected, "set redis.url", REDIS_URL)
