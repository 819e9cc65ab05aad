"""How one target is tried again."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.stages.retry import Retry, RetryOptions


def retry(settings: Settings, deps: Deps) -> Retry:
    """Return the stage that tries again, with a budget for each target that outlives reloads."""
    given = settings.retry
    options = RetryOptions(
        max_attempts=given.max_attempts,
        base_s=given.base_s,
        max_s=given.max_s,
        multiplier=given.multiplier,
        jitter=given.jitter,
        errors=_retried(given.errors),
    )
    budgets = deps.retry_budgets.of(given.budget_ratio, given.budget_floor_per_s)
    return Retry(options, budgets, deps.clock, deps.chance, deps.listener)


def _retried(words: frozenset[str] | None) -> frozenset[str | int] | None:
    return None if words is None else frozenset(int(word) if word.isdigit() else word for word in words)
