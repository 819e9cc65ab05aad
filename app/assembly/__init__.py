"""
The composition root: settings in, one immutable `Gateway` out.

`stages` has the order of the stages, `opening` decides where state is kept, `deps` holds what outlives a configuration;
every other file turns the settings of one feature into its stages and objects.
"""

from __future__ import annotations

from app.assembly.admin import admin_options
from app.assembly.attempts import hedge, reading_options
from app.assembly.catalogue import models
from app.assembly.deps import Deps, make_deps
from app.assembly.edge import edge_options
from app.assembly.explaining import explainers
from app.assembly.health import prober_handler, probings
from app.assembly.identity import directory
from app.assembly.opening import open_state
from app.assembly.passthrough import pass_on
from app.assembly.providers import providers, sources
from app.assembly.recovery import recovering
from app.assembly.routing import policies, routes
from app.assembly.sessions import session_manager
from app.assembly.stages import attempt_stages, call_stages
from app.assembly.tracing import UNTRACED
from app.config.load import Loaded
from app.core.call import Call
from app.core.gateway import Gateway
from app.core.pipeline import Handler, compose
from app.core.routing.router import Router
from app.core.routing.table import RoutingTable
from app.providers.endpoint import Endpoints
from app.stages.fallback import Fallback

__all__ = [
    "Deps",
    "attempt_stages",
    "build_gateway",
    "call_stages",
    "make_deps",
    "open_state",
    "prober_handler",
    "probings",
    "sources",
]


def build_gateway(loaded: Loaded, deps: Deps) -> Gateway:
    """Compose the gateway that `loaded` describes. Opens nothing."""
    settings = loaded.settings
    trace = UNTRACED if deps.tracers is None else deps.tracers.composing(settings)
    reached = providers(settings, deps)
    known = models(settings)
    listed = {name: provider.models for name, provider in reached.items()}
    routing = RoutingTable(routes(settings), listed, deps.discovered)
    attempt = compose(
        attempt_stages(settings, deps, trace), Endpoints.of(reached, reading_options(settings), deps.clock)
    )
    router = Router(routing, policies(settings, deps, known))
    fallback = Fallback(router, attempt, settings.fallback.triggers, deps.listener, hedge(settings, deps))
    ask_providers = recovering(settings, deps, trace.request(fallback), router, attempt)
    handler: Handler[Call] = compose(call_stages(settings, deps, trace, router.first), ask_providers)
    return Gateway(
        handler=handler,
        routing=routing,
        edge=edge_options(settings, routing),
        digest=loaded.digest,
        models=known,
        identities=directory(settings, deps),
        sessions=session_manager(settings, deps),
        admin=admin_options(loaded, deps),
        explainers=explainers(settings, deps, routing),
        passing=pass_on(settings, deps, reached, routing, trace),
    )
