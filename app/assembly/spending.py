"""What calls cost, what may be spent, and where it is kept."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module

import msgspec

from app.assembly.catalogue import models
from app.assembly.deps import Deps, new_id
from app.config.features.budgets import KeyBudget
from app.config.features.budgets import Usage as UsageSettings
from app.config.schema import Settings
from app.core.accounts import Budgets
from app.core.allow_list import slashed
from app.core.call import Target
from app.core.money import Budget, nano
from app.core.spending.prices import Price, Prices
from app.stages.reserve_budget import FirstTargets, ReserveBudget
from app.stages.spend import Spend
from app.state.budgets.memory import LocalBudgets
from app.state.budgets.sharing import SharedBudgets
from app.state.link import Link
from app.state.usage.book import UsageBook, UsageStore
from app.state.usage.memory import MemoryUsage
from app.state.usage.redis import RedisUsage

_FREE = Price()
_REMEMBERED = 4096  # names come from clients, so what is remembered of them is bounded
_FREE_KINDS = frozenset(
    {"sim", "local", "ollama", "llamacpp", "lmstudio", "sglang", "tgi", "vllm"}
)  # they run on machines of the operator


def spend(settings: Settings, deps: Deps) -> Spend:
    """Return the stage that keeps the ledger."""
    return Spend(rules(settings), prices(settings), deps.budgets, deps.clock, deps.listener)


def reserve_budget(settings: Settings, deps: Deps, first: FirstTargets) -> list[ReserveBudget]:
    """Return the stage that asks budgets early, where they are shared; keys made at run time may have some, too."""
    if settings.redis.url is None:
        return []
    return [ReserveBudget(first, rules(settings), prices(settings), deps.budgets, deps.clock)]


def rules(settings: Settings) -> tuple[Budget, ...]:
    """Return the budgets for all calls."""
    return tuple(
        Budget(given.name, nano(given.usd), given.per, given.period, given.window_s, given.hard, given.warn)
        for given in settings.budgets
    )


def key_budget(key_id: str, given: KeyBudget) -> Budget:
    """Return the budget of one key, which is named after it."""
    return Budget(f"key {key_id}", nano(given.usd), ("key",), given.per, given.window_s, given.hard, given.warn)


def prices(settings: Settings) -> Prices:
    """Return the price lookup: `prices` first, then the targets of routes, free local kinds, and the catalogue."""
    known = models(settings)
    found = dict(_target_prices(settings))
    for name, given in settings.prices.items():
        found[slashed(name)] = msgspec.convert(given, Price, from_attributes=True)
    free = frozenset(name for name, given in settings.providers.items() if given.kind in _FREE_KINDS)

    def price(target: Target) -> Price | None:
        own = found.get(target.name)
        if own is not None:
            return own
        if target.provider in free:
            return _FREE
        info = known.find(target.provider, target.model)
        return None if info is None else info.price

    return lru_cache(_REMEMBERED)(price)  # every attempt asks, and the result never changes


def _target_prices(settings: Settings) -> Mapping[str, Price]:
    return {
        f"{given.provider}/{given.model}": Price(given.input_usd_per_mtok, given.output_usd_per_mtok)
        for route in settings.models.values()
        for given in route.targets
        if given.input_usd_per_mtok is not None and given.output_usd_per_mtok is not None
    }


def shared_budgets(deps: Deps, settings: Settings, link: Link) -> Budgets:
    """Return budgets that replicas share."""
    local = LocalBudgets(deps.clock, deps.listener, new_id)
    return SharedBudgets(link, local, settings.redis.fail.budgets)


def open_usage(deps: Deps, settings: Settings, link: Link | None) -> UsageBook:
    """Return the usage book, in the configured store."""
    given = settings.usage
    return UsageBook(_store(given, link), deps.clock, new_id, given.retention_days)


def _store(given: UsageSettings, link: Link | None) -> UsageStore:
    match given.store:
        case "sqlite" if given.path is not None:
            store: UsageStore = import_module("app.state.usage.sqlite").SqliteUsage(given.path)
            return store
        case "redis" if link is not None:
            return RedisUsage(link, given.retention_days)
        case _:
            return MemoryUsage()
