"""Which providers are asked how they are, and who minds the answer."""

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
    """Return the stage that leaves providers alone that are down, if any is asked."""
    return [Health(deps.health, deps.clock)] if probings(settings) else []


def probings(settings: Settings) -> tuple[Probing, ...]:
    """Return how each provider is asked that is to be."""
    return tuple(
        Probing(name, given.health.model, given.health.interval_s, given.health.timeout_s, given.health.stream,
                given.health.failures)
        for name, given in settings.providers.items()
        if given.health.enabled and given.health.model is not None
    )  # fmt: skip


def prober_handler(settings: Settings, deps: Deps) -> Handler[Attempt]:
    """
    Return what makes the calls of probes.

    They count in the ledger like any other call; nothing else has a say in them. A circuit least of all: one that is
    open would keep the question from being asked that tells when the provider is back.
    """
    stages: list[Stage[Attempt]] = [spend(settings, deps), attempt_timeout(settings)]
    return compose(stages, Endpoints.of(providers(settings, deps), reading_options(settings), deps.clock))
