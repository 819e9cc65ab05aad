"""Assemble stream recovery: which broken streams are continued, and by which targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.call import Attempt, Call, Target
from app.core.pipeline import Handler, compose
from app.core.recovery.continuing import Continues
from app.core.routing.router import Targets
from app.core.routing.wildcards import Wildcards
from app.stages.recover import Recover


def recovering_routes(settings: Settings) -> Mapping[str, int]:
    """Return the routes whose broken streams are continued, and how often each may be."""
    return {name: route.recovery.max_times for name, route in settings.models.items() if route.recovery.enabled}


def recovering(
    settings: Settings,
    deps: Deps,
    fallback: Handler[Call],
    targets: Callable[[Call], Targets],
    attempt: Handler[Attempt],
) -> Handler[Call]:
    """Return the handler that asks providers, inside the recovery stage if any route has that enabled."""
    routes = recovering_routes(settings)
    if not routes:
        return fallback
    wildcards = Wildcards(settings.models)

    def most(model: str) -> int:
        if model in settings.models:
            return routes.get(model, 0)
        found = wildcards.match(model, bare=False) or wildcards.match(model, bare=True)
        return 0 if found is None else routes.get(found.route, 0)

    def how(target: Target) -> Continues | None:
        found = settings.providers[target.provider].goes_on(target.model)
        return None if found is None else Continues(found)

    return compose([Recover(most, targets, how, attempt, deps.listener)], fallback)
