"""When a second target begins before the first has failed."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.config.routing import Route
from app.config.schema import Settings
from app.core.call import Target
from app.stages.hedge import Hedge, HedgeOptions


def hedge(settings: Settings, deps: Deps) -> Hedge | None:
    """Return what lets second targets begin early, if any route wants that."""
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
