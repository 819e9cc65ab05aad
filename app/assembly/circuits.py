"""Assemble circuit breaking: when circuits open and close, and whether replicas share them."""

from __future__ import annotations

import msgspec

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.circuits import CircuitPolicy
from app.core.ports import Circuits
from app.stages.breaker import Breaker
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means
from app.state.circuits.sharing import SharedCircuits
from app.state.link import Link


def circuit_breaker(settings: Settings, deps: Deps) -> list[Breaker]:
    """Return the circuit breaker stage, if it is enabled."""
    return [Breaker(deps.circuits, circuit_policy(settings))] if settings.circuit_breaker.enabled else []


def circuit_policy(settings: Settings) -> CircuitPolicy:
    """Return when circuits open and close."""
    return msgspec.convert(settings.circuit_breaker, CircuitPolicy, from_attributes=True)


def shared_circuits(deps: Deps, settings: Settings, link: Link) -> Circuits:
    """Return circuits that replicas share."""
    means = Means(deps.clock, deps.chance, Announcer(deps.listener))
    return SharedCircuits(link, LocalCircuits(means), settings.redis.fail.circuits)
