"""Assemble routing: the targets of each route, and the strategy that orders them."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from app.assembly.deps import Deps
from app.assembly.spending import prices
from app.config.plugins import ROUTE_STRATEGIES
from app.config.routing import Route as RouteSettings
from app.config.routing import Target as TargetSettings
from app.config.schema import Settings
from app.core.call import Target
from app.core.catalogue import ModelInfo, Models
from app.core.routing.affinity import COMMON, Affinity
from app.core.routing.balancing import STRATEGIES, Guarded, Strategy, Tools
from app.core.routing.candidates import Candidate
from app.core.routing.router import Policy
from app.core.routing.table import Route
from app.core.spending.prices import Prices

T = TypeVar("T")


def routes(settings: Settings) -> dict[str, Route]:
    """Return the targets and fallbacks of each route."""
    return {
        name: Route(tuple(Target(target.provider, target.model) for target in route.targets), route.fallbacks)
        for name, route in settings.models.items()
    }


def policies(settings: Settings, deps: Deps, models: Models) -> dict[str, Policy]:
    """Return the strategy of each route and its candidates."""
    candidates = partial(_candidates, models=models, charged=prices(settings), filters=settings.catalogue.filters)
    return {name: Policy(_strategy(name, route, deps), candidates(route)) for name, route in settings.models.items()}


def _strategy(name: str, route: RouteSettings, deps: Deps) -> Strategy:
    tools = Tools(name, deps.clock, deps.chance, deps.traffic)
    own = STRATEGIES.get(route.strategy)
    strategy = Guarded(ROUTE_STRATEGIES.load(route.strategy)(tools)) if own is None else own(tools)
    return strategy if route.affinity == "none" else Affinity(COMMON[route.affinity], strategy, tools)


def _candidates(route: RouteSettings, *, models: Models, charged: Prices, filters: bool) -> tuple[Candidate, ...]:
    """Return the targets at the prices that are charged; missing facts are filled in from the catalogue."""
    chooses = filters and (len(route.targets) > 1 or bool(route.fallbacks))  # else its provider may as well decide
    found = [(given, models.find(given.provider, given.model)) for given in route.targets]
    return tuple([_candidate(given, known, charged, chooses=chooses) for given, known in found])


def _candidate(given: TargetSettings, known: ModelInfo | None, charged: Prices, *, chooses: bool) -> Candidate:
    target = Target(given.provider, given.model)
    price = charged(target)
    # of others than chat the window is that of each text, and nothing else can be lacking
    filling = known if known is not None and chooses and known.operation == "chat" else ModelInfo()
    return Candidate(
        target,
        weight=given.weight,
        input_usd_per_mtok=None if price is None else price.input,
        output_usd_per_mtok=None if price is None else price.output,
        capabilities=_first(given.capabilities, filling.capabilities),
        context_window=_first(given.context_window, filling.context_window),
    )


def _first(given: T | None, known: T | None) -> T | None:
    return known if given is None else given
