"""
The composition root: settings in, one immutable `Gateway` out.

The order of the stages is declared here and nowhere else. It is code, read from top to bottom; only membership and
numbers are configuration, because a different order would be a different product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from app import __version__
from app.config.load import Loaded
from app.config.routing import Provider as ProviderSettings
from app.config.routing import Route as RouteSettings
from app.config.schema import Settings
from app.config.strategies import build_strategy
from app.core.admission import Bounds
from app.core.affinity import COMMON, Affinity
from app.core.balancing import Strategy, Tools, Traffic
from app.core.budget import RetryBudgets
from app.core.call import Attempt, Call, Target
from app.core.candidates import Candidate
from app.core.catalog import Catalog, Route
from app.core.circuits import CircuitPolicy
from app.core.clock import Clock
from app.core.gateway import AdminOptions, EdgeOptions, Gateway
from app.core.keys import KeyPools
from app.core.model import Weight
from app.core.pipeline import Handler, Stage, compose
from app.core.ports import Chance, Circuits, UpstreamClient
from app.core.resting import Resting
from app.core.routing import Policy, Router
from app.core.signals import Listener
from app.providers.client import ProxiedClients
from app.providers.endpoint import Endpoints, Provider, ReadingOptions
from app.providers.keyring import KeyRing
from app.providers.local.upstream import LOCAL_ORIGIN
from app.providers.local.wheels import LOCAL_MODELS
from app.providers.openai import OpenAiCodec
from app.providers.sim import SIM_MODELS
from app.stages.admission import Admission, AdmissionOptions
from app.stages.breaker import Breaker
from app.stages.bulkhead import Bulkhead
from app.stages.fallback import Fallback
from app.stages.hedge import Hedge, HedgeOptions
from app.stages.measure import Measure
from app.stages.record import Record
from app.stages.retry import Retry, RetryOptions
from app.stages.timeouts import AttemptTimeout, TotalTimeout
from app.stages.validate import Validate, ValidateOptions

_COMMITS: Mapping[str, Weight] = {"any_event": Weight.NOTHING, "visible": Weight.THOUGHT, "answer": Weight.ANSWER}


class Deps(msgspec.Struct, frozen=True):
    """
    What outlives a configuration: opened once, shared by every gateway built from then on.

    `client` reaches real providers, `sim` answers by script, `local` reaches the model on this machine; `circuits` keep
    their state when the configuration changes, `traffic` is what strategies and bulkheads have counted so far,
    `proxied` are the clients of providers behind a proxy, and `keys` what became of keys of providers with several.
    """

    client: UpstreamClient
    sim: UpstreamClient
    local: UpstreamClient
    listener: Listener
    clock: Clock
    chance: Chance
    circuits: Circuits
    resting: Resting = msgspec.field(default_factory=Resting)
    traffic: Traffic = msgspec.field(default_factory=Traffic)
    proxied: ProxiedClients = msgspec.field(default_factory=ProxiedClients)
    keys: KeyPools = msgspec.field(default_factory=KeyPools)


def call_stages(settings: Settings, deps: Deps) -> list[Stage[Call]]:
    """Return what happens once per client call, outermost first."""
    return [
        Record(deps.listener, deps.clock),  # outermost: sees every ending, also refusals
        TotalTimeout(),  # bounds all below, pauses between tries included
        Validate(_validate_options(settings)),  # cheap refusals before any shared state is touched
        *_admission(settings, deps),  # after it, so that bad requests need no place
    ]


def attempt_stages(settings: Settings, deps: Deps) -> list[Stage[Attempt]]:
    """Return what happens for one target, outermost first."""
    circuit_breaker = [Breaker(deps.circuits, _circuit_policy(settings))] if settings.circuit_breaker.enabled else []
    bounds = _bounds(settings)
    bulkhead = [Bulkhead(bounds, deps.traffic.slots)] if bounds else []
    return [
        Retry(_retry_options(settings), _budgets(settings), deps.clock, deps.chance, deps.listener),
        *circuit_breaker,  # inside the retry: each try is judged alone, and none wakes a target that rests
        *bulkhead,  # refuses at once, before the time of the try begins; a refused try takes no place
        Measure(deps.traffic.loads, deps.clock, deps.listener),  # sees only what really goes to a target
        AttemptTimeout(settings.timeouts.first_token_s),  # innermost: each try waits for its own first token
    ]


def build_gateway(loaded: Loaded, deps: Deps) -> Gateway:
    """Compose the gateway that `loaded` describes. Opens nothing."""
    settings = loaded.settings
    rings = _key_rings(settings, deps)
    providers = {name: _provider(name, given, deps, rings.get(name)) for name, given in settings.providers.items()}
    catalog = Catalog(_routes(settings), {name: provider.models for name, provider in providers.items()})
    attempt = compose(attempt_stages(settings, deps), Endpoints(providers, _reading_options(settings), deps.clock))
    router = Router(catalog, _policies(settings, deps))
    fallback = Fallback(router, attempt, settings.fallback.triggers, deps.listener, _hedge(settings, deps))
    handler: Handler[Call] = compose(call_stages(settings, deps), fallback)
    return Gateway(handler, catalog, _edge_options(settings), loaded.digest, _admin_options(settings, deps))


def _routes(settings: Settings) -> dict[str, Route]:
    return {
        name: Route(tuple(Target(target.provider, target.model) for target in route.targets), route.fallbacks)
        for name, route in settings.models.items()
    }


def _policies(settings: Settings, deps: Deps) -> dict[str, Policy]:
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


def _hedge(settings: Settings, deps: Deps) -> Hedge | None:
    """Return what lets second targets begin early, if any route wants that."""
    routes = {
        name: HedgeOptions(
            percentile=route.hedge.percentile,
            min_s=route.hedge.min_s,
            max_s=route.hedge.max_s,
            budget_ratio=route.hedge.budget_ratio,
            targets=frozenset(Target(given.provider, given.model) for given in route.targets),
        )
        for name, route in settings.models.items()
        if route.hedge.enabled
    }
    return Hedge(routes, deps.traffic.loads, deps.clock, deps.listener, deps.resting.fit) if routes else None


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


def _key_rings(settings: Settings, deps: Deps) -> dict[str, KeyRing]:
    """Return the keys of each provider that has several; with a single one there is nothing to choose."""
    secrets = {
        name: [key.get_secret_value() for key in given.api_keys]
        for name, given in settings.providers.items()
        if len(given.api_keys) > 1
    }
    return {name: KeyRing(name, pool, deps.clock, deps.listener) for name, pool in deps.keys.renew(secrets).items()}


def _provider(name: str, given: ProviderSettings, deps: Deps, keys: KeyRing | None) -> Provider:
    match given.kind:
        case "sim":
            return Provider(name, "http://sim/v1", (), OpenAiCodec(), deps.sim, given.models or SIM_MODELS)
        case "local":
            return Provider(name, f"{LOCAL_ORIGIN}/v1", _headers(given), OpenAiCodec(), deps.local, LOCAL_MODELS)
        case _:
            client = deps.proxied.through(given.proxy) if given.proxy else deps.client
            return Provider(name, given.base_url or "", _headers(given), OpenAiCodec(), client, given.models, keys)


def _headers(given: ProviderSettings) -> tuple[tuple[str, str], ...]:
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",  # frames and bodies are forwarded as they come, so they must come plain
        "user-agent": f"wizard/{__version__}",
    }
    keys = given.api_keys if given.api_key is None else (given.api_key,)
    if len(keys) == 1:  # of several, each request has its own
        headers["authorization"] = f"Bearer {keys[0].get_secret_value()}"
    headers.update({header.lower(): value for header, value in given.headers.items()})
    return tuple(headers.items())


def _admission(settings: Settings, deps: Deps) -> list[Admission]:
    given = settings.admission
    if given.max_in_flight is None:
        return []
    bounds = Bounds(given.max_in_flight, given.queue_max, given.adaptive)
    options = AdmissionOptions(bounds, given.queue_wait_s)
    return [Admission(options, deps.traffic.gate, deps.clock, deps.chance, deps.listener)]


def _validate_options(settings: Settings) -> ValidateOptions:
    given = settings.validation
    return ValidateOptions(
        max_messages=given.max_messages,
        max_prompt_chars=given.max_prompt_chars,
        max_json_depth=given.max_json_depth,
        allow_control_chars=given.allow_control_chars,
    )


def _retry_options(settings: Settings) -> RetryOptions:
    given = settings.retry
    return RetryOptions(
        max_attempts=given.max_attempts,
        base_s=given.base_s,
        max_s=given.max_s,
        multiplier=given.multiplier,
        jitter=given.jitter,
        errors=_retried(settings),
    )


def _retried(settings: Settings) -> frozenset[str | int] | None:
    given = settings.retry.errors
    return None if given is None else frozenset(int(word) if word.isdigit() else word for word in given)


def _budgets(settings: Settings) -> RetryBudgets:
    return RetryBudgets(settings.retry.budget_ratio, settings.retry.budget_floor_per_s)


def _reading_options(settings: Settings) -> ReadingOptions:
    return ReadingOptions(
        connect_s=settings.timeouts.connect_s,
        idle_s=settings.timeouts.idle_s,
        weight=_COMMITS[settings.streaming.commit],
        held_max_bytes=settings.streaming.buffer_bytes,
    )


def _edge_options(settings: Settings) -> EdgeOptions:
    return EdgeOptions(
        body_max_bytes=settings.server.body_max_bytes,
        total_s=settings.timeouts.total_s,
        keep_alive_s=settings.streaming.keep_alive_s,
    )


def _circuit_policy(settings: Settings) -> CircuitPolicy:
    given = settings.circuit_breaker
    return CircuitPolicy(
        failure_threshold=given.failure_threshold,
        window_s=given.window_s,
        failure_ratio=given.failure_ratio,
        open_s=given.open_s,
        open_max_s=given.open_max_s,
        half_open_max_calls=given.half_open_max_calls,
    )


def _admin_options(settings: Settings, deps: Deps) -> AdminOptions | None:
    token = settings.admin.token.get_secret_value().encode()
    if not token:
        return None
    return AdminOptions(hashlib.sha256(token).digest(), deps.circuits, _circuit_policy(settings))
