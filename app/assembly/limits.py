"""Rate limits: the rules, the stages that ask for them, and where the buckets are kept."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from app.assembly.deps import Deps
from app.config.features.limits import KeyLimit, Limit
from app.config.schema import Settings
from app.core.gcra import Rate
from app.core.limiting import Limiter
from app.core.rulebook import RuleBook
from app.core.rules import Measure, Rule, Scope
from app.stages.rate_limit import RateLimit
from app.stages.target_limit import TargetLimit
from app.state.limits.memory import LocalLimits
from app.state.limits.redis import RedisLimits
from app.state.limits.sharing import SharedLimits
from app.state.link import Shared

_NAME_BITS = 52


def rate_limit(settings: Settings, deps: Deps) -> list[RateLimit]:
    """Return the stage of the rules that calls meet, if there are any, or keys that may bring some."""
    book = RuleBook(gateway_rules(settings), of_targets=False)
    if not book.rules and not settings.keys and not settings.auth.required:
        return []
    return [RateLimit(book, Limiter(deps.limits, deps.listener), deps.clock)]


def target_limit(settings: Settings, deps: Deps) -> list[TargetLimit]:
    """Return the stage of the rules that attempts meet, if there are any."""
    book = RuleBook(gateway_rules(settings), of_targets=True)
    return [TargetLimit(book, Limiter(deps.limits, deps.listener), deps.clock)] if book.rules else []


def gateway_rules(settings: Settings) -> tuple[Rule, ...]:
    """Return the rules of the gateway."""
    return tuple(rule for limit in settings.limits for rule in _rules(limit, tuple(Scope(word) for word in limit.per)))


def key_rules(limits: tuple[KeyLimit, ...]) -> tuple[Rule, ...]:
    """Return the rules that come with a key."""
    return tuple(rule for limit in limits for rule in _rules(limit, (Scope.KEY,)))


def open_limits(deps: Deps, settings: Settings, shared: Shared | None) -> Deps:
    """Let the buckets be shared, if there is a Redis; else each worker has its part of every limit."""
    workers = settings.server.workers
    if shared is None:
        return msgspec.structs.replace(deps, limits=LocalLimits(deps.clock, workers))
    name = f"{int(deps.chance() * 2**_NAME_BITS):x}"
    store = RedisLimits(shared.link.submit, shared.key_prefix, name)
    limits = SharedLimits(store, shared.link, deps.clock, settings.redis.fail.limits, workers)
    return msgspec.structs.replace(deps, limits=limits)


def _rules(given: KeyLimit | Limit, per: tuple[Scope, ...]) -> Iterator[Rule]:
    counted = ((Measure.REQUESTS, given.requests), (Measure.TOKENS, given.tokens))
    for measure, amount in counted:
        if amount is not None:
            rate = Rate.of(amount, given.window_s, given.burst or amount)
            yield Rule(
                name=given.name,
                measure=measure,
                most=rate.burst,
                rate=rate,
                per=per,
                models=given.models,
                shadow=given.shadow,
                lease=given.lease,
                reserve=given.reserve,
            )
    if given.concurrency is not None:
        yield Rule(given.name, Measure.CONCURRENCY, given.concurrency, None, per, given.models, given.shadow)
