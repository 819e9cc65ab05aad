"""Assemble the stages of attempts: token counts, retries, bulkheads, hedging and timeouts."""

from __future__ import annotations

from collections.abc import Mapping

from app.assembly.deps import Deps
from app.config.presets import dialect_of
from app.config.routing import Route
from app.config.schema import Settings
from app.core.call import Target
from app.core.model import Weight
from app.core.stream import CommitRule
from app.providers.endpoint import ReadingOptions
from app.providers.local.wheels import LOCAL_MODELS
from app.providers.sim.script import SCRIPTS
from app.stages.bulkhead import Bulkhead
from app.stages.count_tokens import CountTokens
from app.stages.hedge import Hedge, HedgeOptions
from app.stages.retry import Retry, RetryOptions
from app.stages.timeouts import AttemptTimeout


def count_tokens(settings: Settings) -> CountTokens:
    """Return the stage that estimates token counts."""
    given = settings.providers
    counting = frozenset(name for name, one in given.items() if dialect_of(one.kind, one.base_url or "") == "anthropic")

    def lacks(target: Target) -> bool:
        kind, name = given[target.provider].kind, target.model.partition("?")[0]
        return (kind == "sim" and name not in SCRIPTS) or (kind == "local" and name not in LOCAL_MODELS)

    return CountTokens(counting, lacks)


def retry(settings: Settings, deps: Deps) -> Retry:
    """Return the retry stage; its budget for each target outlives reloads."""
    given = settings.retry
    options = RetryOptions(
        max_attempts=given.max_attempts,
        base_s=given.base_s,
        max_s=given.max_s,
        multiplier=given.multiplier,
        jitter=given.jitter,
        errors=_retried(given.errors),
    )
    budgets = deps.retry_budgets(given.budget_ratio, given.budget_floor_per_s)
    return Retry(options, budgets, deps.clock, deps.chance, deps.listener)


def _retried(words: frozenset[str] | None) -> frozenset[str | int] | None:
    return None if words is None else frozenset(int(word) if word.isdigit() else word for word in words)


def bulkhead(settings: Settings, deps: Deps) -> list[Bulkhead]:
    """Return the stage that bounds concurrent attempts, if there is any bound."""
    bounds = _bounds(settings)
    return [Bulkhead(bounds, deps.traffic.slots)] if bounds else []


def _bounds(settings: Settings) -> dict[str, int]:
    """Return the most attempts in flight, by provider name and by `provider/model`."""
    providers = {name: given.max_in_flight for name, given in settings.providers.items()}
    targets = {
        Target(given.provider, given.model).name: given.max_in_flight
        for route in settings.models.values()
        for given in route.targets
        if given.max_in_flight is not None
    }
    return {name: most for name, most in (providers | targets).items() if most is not None}


def hedge(settings: Settings, deps: Deps) -> Hedge | None:
    """Return the hedging of routes, if any route has it enabled."""
    ratios = {name: route.hedge.budget_ratio for name, route in settings.models.items() if route.hedge.enabled}
    shares = deps.hedge_shares.keep(ratios)
    routes = {name: (_options(settings.models[name]), share) for name, share in shares.items()}
    return Hedge(routes, deps.traffic.loads, deps.clock, deps.listener, deps.resting.fit) if routes else None


def _options(route: Route) -> HedgeOptions:
    return HedgeOptions(
        percentile=route.hedge.percentile,
        min_s=route.hedge.min_s,
        max_s=route.hedge.max_s,
        targets=frozenset(Target(given.provider, given.model) for given in route.targets),
    )


_COMMITS: Mapping[str, Weight] = {"any_event": Weight.NOTHING, "visible": Weight.THOUGHT, "answer": Weight.ANSWER}


def reading_options(settings: Settings) -> ReadingOptions:
    """Return the options for reading answers: timeouts and the commit rule."""
    return ReadingOptions(
        connect_s=settings.timeouts.connect_s,
        idle_s=settings.timeouts.idle_s,
        commit=CommitRule(_COMMITS[settings.streaming.commit], settings.streaming.buffer_bytes),
    )


def attempt_timeout(settings: Settings) -> AttemptTimeout:
    """Return the stage that bounds the duration of each try."""
    return AttemptTimeout(settings.timeouts.first_token_s, settings.timeouts.response_s)
