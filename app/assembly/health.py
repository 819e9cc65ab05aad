"""Assemble the health probes of providers, and the stage that acts on their results."""

from __future__ import annotations

from app.assembly.attempts import attempt_timeout, reading_options
from app.assembly.deps import Deps
from app.assembly.providers import providers
from app.assembly.spending import spend
from app.config.schema import Settings
from app.core.call import Attempt
from app.core.health import Probing
from app.core.pipeline import Handler, Stage, compose
from app.providers.endpoint import Endpoints
from app.stages.health import Health


def health(settings: Settings, deps: Deps) -> list[Health]:
    """Return the stage that skips providers that are down, if any is probed."""
    return [Health(deps.health, deps.clock)] if probings(settings) else []


def probings(settings: Settings) -> tuple[Probing, ...]:
    """Return the probe settings of each provider that is probed."""
    return tuple(
        Probing(name, given.health.model, given.health.interval_s, given.health.timeout_s, given.health.stream,
                given.health.failures)
        for name, given in settings.providers.items()
        if given.health.enabled and given.health.model is not None
    )  # fmt: skip


def prober_handler(settings: Settings, deps: Deps) -> Handler[Attempt]:
    """
    Return the handler for the calls of probes.

    They count in the ledger like any other call; no other stage applies to them. Least of all the circuit breaker: an
    open circuit would block the probe that finds out when the provider is back.
    """
    stages: list[Stage[Attempt]] = [spend(settings, deps), attempt_timeout(settings)]
    return compose(stages, Endpoints.of(providers(settings, deps), reading_options(settings), deps.clock))
