"""Assemble rate limits: the rules, the stages that enforce them, and where the buckets are kept."""

from __future__ import annotations

from pathlib import Path

import msgspec

from app.assembly.deps import Deps
from app.assembly.providers import followed
from app.config.features.limits import KeyLimit, Limit
from app.config.schema import Settings
from app.core.call import Attempt, Call
from app.core.limits.limiter import Limiter
from app.core.limits.rulebook import RuleBook
from app.core.ports import Limits
from app.core.rules import LimitSpec, Rule, Scope, rules_of
from app.providers.tokenizer import ExactTokens, tiktoken_encoding
from app.stages.provider_quota import ProviderQuota
from app.stages.rate_limit import RateLimit
from app.state.limits.memory import LocalLimits
from app.state.limits.redis import RedisLimits
from app.state.limits.sharing import SharedLimits
from app.state.link import Link

_NAME_BITS = 52


def rate_limit(settings: Settings, deps: Deps) -> list[RateLimit[Call]]:
    """Return the rate limit stage of calls, if there are rules for them, or keys that may have some."""
    book = RuleBook(gateway_rules(settings), of_targets=False)
    if not book.rules and not settings.may_have_keys:
        return []
    return [RateLimit(book.of_call, _limiter(settings, deps), deps.clock)]


def target_limit(settings: Settings, deps: Deps) -> list[RateLimit[Attempt]]:
    """Return the rate limit stage of attempts, if there are rules for them."""
    book = RuleBook(gateway_rules(settings), of_targets=True)
    return [RateLimit(book.of_attempt, _limiter(settings, deps), deps.clock)] if book.rules else []


def provider_quota(settings: Settings, deps: Deps) -> list[ProviderQuota]:
    """Return the stage that follows the providers' own limits, if any are followed."""
    providers = followed(settings)
    return [ProviderQuota(deps.quotas, providers, deps.clock)] if providers else []


def gateway_rules(settings: Settings) -> tuple[Rule, ...]:
    """Return the rules of the gateway."""
    return tuple(rule for limit in settings.limits for rule in _rules(limit, tuple(Scope(word) for word in limit.per)))


def key_rules(limits: tuple[KeyLimit, ...]) -> tuple[Rule, ...]:
    """Return the rules of one key."""
    return tuple(rule for limit in limits for rule in _rules(limit, (Scope.KEY,)))


def open_limits(deps: Deps, settings: Settings, link: Link | None) -> Limits:
    """Return the buckets: shared by replicas if there is a Redis; else each worker has its part of every limit."""
    workers = settings.server.workers
    if link is None:
        return LocalLimits(deps.clock, workers)
    name = f"{int(deps.chance() * 2**_NAME_BITS):x}"
    store = RedisLimits(link.submit, link.key_prefix, name)
    return SharedLimits(store, link, deps.clock, settings.redis.fail.limits, workers)


def _limiter(settings: Settings, deps: Deps) -> Limiter:
    tables = settings.tokenizer.tables
    return Limiter(deps.limits, deps.listener, ExactTokens(Path(tables), tiktoken_encoding) if tables else None)


def _rules(given: KeyLimit | Limit, per: tuple[Scope, ...]) -> tuple[Rule, ...]:
    return rules_of(msgspec.convert(given, LimitSpec, from_attributes=True), per)
