"""
The composition root: settings in, one immutable `Gateway` out.

The order of the stages is declared here and nowhere else. It is code, read from top to bottom; only membership and
numbers are configuration, because a different order would be a different product.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from app import __version__
from app.config.load import Loaded
from app.config.routing import Provider as ProviderSettings
from app.config.routing import Route as RouteSettings
from app.config.schema import Settings
from app.config.strategies import build_strategy
from app.core.admission import Bounds
from app.core.balancing import Tools, Traffic
from app.core.budget import RetryBudgets
from app.core.call import Attempt, Call, Target
from app.core.candidates import Candidate
from app.core.catalog import Catalog, Route
from app.core.clock import Clock
from app.core.gateway import EdgeOptions, Gateway
from app.core.model import Weight
from app.core.pipeline import Handler, Stage, compose
from app.core.ports import Chance, UpstreamClient
from app.core.routing import Policy, Router
from app.core.signals import Listener
from app.providers.endpoint import Endpoints, Provider, ReadingOptions
from app.providers.local.upstream import LOCAL_ORIGIN
from app.providers.local.wheels import LOCAL_MODELS
from app.providers.openai import OpenAiCodec
from app.providers.sim import SIM_MODELS
from app.stages.admission import Admission, AdmissionOptions
from app.stages.bulkhead import Bulkhead
from app.stages.fallback import Fallback
from app.stages.measure import Measure
from app.stages.record import Record
from app.stages.retry import Retry, RetryOptions
from app.stages.timeouts import AttemptTimeout, TotalTimeout
from app.stages.validate import Validate, ValidateOptions

_COMMITS: Mapping[str, Weight] = {"any_event": Weight.NOTHING, "visible": Weight.THOUGHT, "answer": Weight.ANSWER}


class Deps(msgspec.Struct, frozen=True):
    """
    What outlives a configuration: opened once, shared by every gateway built from then on.

    `client` reaches real providers, `sim` answers by script, `local` reaches the model on this machine; `traffic` is
    what strategies and bulkheads have counted so far.
    """

    client: UpstreamClient
    sim: UpstreamClient
    local: UpstreamClient
    listener: Listener
    clock: Clock
    chance: Chance
    traffic: Traffic = msgspec.field(default_factory=Traffic)


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
    bounds = _bounds(settings)
    bulkhead = [Bulkhead(bounds, deps.traffic.slots)] if bounds else []
    return [
        Retry(_retry_options(settings), _budgets(settings), deps.clock, deps.chance, deps.listener),
        *bulkhead,  # refuses at once, before the time of the try begins
        Measure(deps.traffic.loads, deps.clock, deps.listener),  # sees only what really goes to a target
        AttemptTimeout(settings.timeouts.first_token_s),  # innermost: each try waits for its own first token
    ]


def build_gateway(loaded: Loaded, deps: Deps) -> Gateway:
    """Compose the gateway that `loaded` describes. Opens nothing."""
    settings = loaded.settings
    providers = {name: _provider(name, given, deps) for name, given in settings.providers.items()}
    catalog = Catalog(_routes(settings), {name: provider.models for name, provider in providers.items()})
    attempt = compose(attempt_stages(settings, deps), Endpoints(providers, _reading_options(settings), deps.clock))
    router = Router(catalog, _policies(settings, deps))
    fallback = Fallback(router, attempt, settings.fallback.triggers, deps.listener)
    handler: Handler[Call] = compose(call_stages(settings, deps), fallback)
    return Gateway(handler, catalog, _edge_options(settings), loaded.digest)


def _routes(settings: Settings) -> dict[str, Route]:
    return {
        name: Route(tuple(Target(target.provider, target.model) for target in route.targets), route.fallbacks)
        for name, route in settings.models.items()
    }


def _policies(settings: Settings, deps: Deps) -> dict[str, Policy]:
    return {
        name: Policy(
            build_strategy(route.strategy, Tools(name, deps.clock, deps.chance, deps.traffic)), _candidates(route)
        )
        for name, route in settings.models.items()
    }


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


def _provider(name: str, given: ProviderSettings, deps: Deps) -> Provider:
    match given.kind:
        case "sim":
            return Provider(name, "http://sim/v1", (), OpenAiCodec(), deps.sim, given.models or SIM_MODELS)
        case "local":
            return Provider(name, f"{LOCAL_ORIGIN}/v1", _headers(given), OpenAiCodec(), deps.local, LOCAL_MODELS)
        case _:
            return Provider(name, given.base_url or "", _headers(given), OpenAiCodec(), deps.client, given.models)


def _headers(given: ProviderSettings) -> tuple[tuple[str, str], ...]:
    headers = {
        "content-type": "application/json",
        "accept-encoding": "identity",  # frames and bodies are forwarded as they come, so they must come plain
        "user-agent": f"wizard/{__version__}",
    }
    if given.api_key is not None:
        headers["authorization"] = f"Bearer {given.api_key.get_secret_value()}"
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
