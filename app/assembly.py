"""
The composition root: settings in, one immutable `Gateway` out.

The order of the stages is declared here and nowhere else. It is code, read from top to bottom; only membership and
numbers are configuration, because a different order would be a different product.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping

import msgspec

from app import __version__
from app.config.load import Loaded
from app.config.routing import Provider as ProviderSettings
from app.config.schema import Settings
from app.core.budget import RetryBudgets
from app.core.call import Attempt, Call, Target
from app.core.catalog import Catalog, Route
from app.core.circuits import CircuitPolicy
from app.core.clock import Clock
from app.core.gateway import AdminOptions, EdgeOptions, Gateway
from app.core.model import Weight
from app.core.pipeline import Handler, Stage, compose
from app.core.ports import Chance, Circuits, UpstreamClient
from app.core.signals import Listener
from app.providers.endpoint import Endpoints, Provider, ReadingOptions
from app.providers.local.upstream import LOCAL_ORIGIN
from app.providers.local.wheels import LOCAL_MODELS
from app.providers.openai import OpenAiCodec
from app.providers.sim import SIM_MODELS
from app.stages.breaker import Breaker
from app.stages.fallback import Fallback
from app.stages.record import Record
from app.stages.retry import Retry, RetryOptions
from app.stages.timeouts import AttemptTimeout, TotalTimeout
from app.stages.validate import Validate, ValidateOptions

_COMMITS: Mapping[str, Weight] = {"any_event": Weight.NOTHING, "visible": Weight.THOUGHT, "answer": Weight.ANSWER}


class Deps(msgspec.Struct, frozen=True):
    """
    What outlives a configuration: opened once, shared by every gateway built from then on.

    `client` reaches real providers, `sim` answers by script, `local` reaches the model on this machine; `circuits`
    keep their state when the configuration changes.
    """

    client: UpstreamClient
    sim: UpstreamClient
    local: UpstreamClient
    listener: Listener
    clock: Clock
    chance: Chance
    circuits: Circuits


def call_stages(settings: Settings, deps: Deps) -> list[Stage[Call]]:
    """Return what happens once per client call, outermost first."""
    return [
        Record(deps.listener, deps.clock),  # outermost: sees every ending, also refusals
        TotalTimeout(),  # bounds all below, pauses between tries included
        Validate(_validate_options(settings)),  # cheap refusals before any shared state is touched
    ]


def attempt_stages(settings: Settings, deps: Deps) -> list[Stage[Attempt]]:
    """Return what happens for one target, outermost first."""
    circuit_breaker = [Breaker(deps.circuits, _circuit_policy(settings))] if settings.circuit_breaker.enabled else []
    return [
        Retry(_retry_options(settings), _budgets(settings), deps.clock, deps.chance, deps.listener),
        *circuit_breaker,  # inside the retry: each try is judged alone, and none wakes a target that rests
        AttemptTimeout(settings.timeouts.first_token_s),  # innermost: each try waits for its own first token
    ]


def build_gateway(loaded: Loaded, deps: Deps) -> Gateway:
    """Compose the gateway that `loaded` describes. Opens nothing."""
    settings = loaded.settings
    providers = {name: _provider(name, given, deps) for name, given in settings.providers.items()}
    catalog = Catalog(_routes(settings), {name: provider.models for name, provider in providers.items()})
    attempt = compose(attempt_stages(settings, deps), Endpoints(providers, _reading_options(settings), deps.clock))
    fallback = Fallback(_router(catalog), attempt, settings.fallback.triggers, deps.listener)
    handler: Handler[Call] = compose(call_stages(settings, deps), fallback)
    return Gateway(handler, catalog, _edge_options(settings), _admin_options(settings, deps), loaded.digest)


def _router(catalog: Catalog) -> Callable[[Call], tuple[Target, ...]]:
    def route(call: Call) -> tuple[Target, ...]:
        return catalog.targets(call.request.model, fallback=call.options.fallback)

    return route


def _routes(settings: Settings) -> dict[str, Route]:
    return {
        name: Route(tuple(Target(target.provider, target.model) for target in route.targets), route.fallbacks)
        for name, route in settings.models.items()
    }


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
    )


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


def _admin_options(settings: Settings, deps: Deps) -> AdminOptions:
    token = settings.admin.token.get_secret_value().encode()
    digest = hashlib.sha256(token).digest() if token else None
    return AdminOptions(digest, deps.circuits, _circuit_policy(settings))
