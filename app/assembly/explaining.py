"""Assemble the explanation of a call without making it: its sections, in the order of the pipeline."""

from __future__ import annotations

import msgspec

from app.assembly.caching import cache
from app.assembly.calls import system_prompt, validate
from app.assembly.catalogue import models
from app.assembly.circuits import circuit_policy
from app.assembly.deps import Deps
from app.assembly.guards import mark_prompt
from app.assembly.limits import gateway_rules
from app.assembly.redaction import redact
from app.assembly.routing import policies
from app.assembly.spending import prices, rules
from app.config.schema import Settings
from app.core.call import Call, Target
from app.core.explain.calls import ExplainCache, ExplainLimits, ExplainRedaction, ExplainRequest
from app.core.explain.port import Explainer
from app.core.explain.targets import ExplainPrice, ExplainRoute, RouteFacts
from app.core.limits.rulebook import RuleBook
from app.core.pipeline import Stage
from app.core.routing.router import Router
from app.core.routing.table import RoutingTable
from app.core.traffic.memory import Glimpse


def explainers(settings: Settings, deps: Deps, routing: RoutingTable) -> tuple[Explainer, ...]:
    """Return the sections; each feature's section is at the position of its stage."""
    read_only = msgspec.structs.replace(deps, traffic=Glimpse(deps.traffic))
    router = Router(routing, policies(settings, read_only, models(settings)))
    limits = gateway_rules(settings)
    before: list[Stage[Call]] = [*system_prompt(settings), *mark_prompt(settings, deps)]
    return (
        ExplainRequest(validate(settings).check),
        *[ExplainRedaction(stage.explain) for stage in redact(settings, deps)],
        ExplainLimits("limits", RuleBook(limits, of_targets=False), deps.limits, deps.clock),
        *[ExplainCache(stage.explain, before) for stage in cache(settings, deps)],
        _route(settings, deps, router),  # finds the targets for those below
        ExplainLimits("target_limits", RuleBook(limits, of_targets=True), deps.limits, deps.clock),
        ExplainPrice(prices(settings), rules(settings), deps.budgets, deps.clock),
    )


def _route(settings: Settings, deps: Deps, router: Router) -> ExplainRoute:
    def in_flight(target: Target) -> int:
        return deps.traffic.loads.seen(target.name).in_flight

    facts = RouteFacts(
        strategies={name: _strategy(route.strategy, route.affinity) for name, route in settings.models.items()},
        triggers=tuple(sorted(settings.fallback.triggers)),
        tries=settings.retry.max_attempts,
        circuit_breaker=circuit_policy(settings) if settings.circuit_breaker.enabled else None,
    )
    return ExplainRoute(router, deps.circuits, in_flight, facts)


def _strategy(strategy: str, affinity: str) -> str:
    return strategy if affinity == "none" else f"{strategy}, affinity by {affinity}"
