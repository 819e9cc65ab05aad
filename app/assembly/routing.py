"""Which targets a call may go to, and in which order."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.config.routing import Route as RouteSettings
from app.config.schema import Settings
from app.config.strategies import build_strategy
from app.core.affinity import COMMON, Affinity
from app.core.balancing import Strategy, Tools
from app.core.call import Target
from app.core.candidates import Candidate
from app.core.catalog import Route
from app.core.routing import Policy


def routes(settings: Settings) -> dict[str, Route]:
    """Return the targets and fallbacks of each route."""
    return {
        name: Route(tuple(Target(target.provider, target.model) for target in route.targets), route.fallbacks)
        for name, route in settings.models.items()
    }


def policies(settings: Settings, deps: Deps) -> dict[str, Policy]:
    """Return the strategy of each route, and what it chooses among."""
    return {name: Policy(_strategy(name, route, deps), _candidates(route)) for name, route in settings.models.items()}


def _strategy(name: str, route: RouteSettings, deps: Deps) -> Strategy:
    tools = Tools(name, deps.clock, deps.chance, deps.traffic)
    strategy = build_strategy(route.strategy, tools)
    return strategy if route.affinity == "none" else Affinity(COMMON[route.affinity], strategy, tools)


def _candidates(route: RouteSettings) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            Target(given.provider, given.model),
            weight=given.weight,
            input_usd_per_mtok=given.input_usd_per_mtok,
            output_usd_per_mtok=given.output_usd_per_mtok,
            capabilities=given.capabilities,
            context_window=given.context_window,
        )
        for given in route.targets
    )
