"""What every gateway of a process shares."""

from __future__ import annotations

from random import SystemRandom

from app.assembly import Deps
from app.assembly.spending import alone
from app.core.circuits import Resting
from app.core.clock import Clock, SystemClock
from app.core.ports import UpstreamClient
from app.core.signals import Listener
from app.providers.sim import SimUpstream
from app.state.circuits.announcer import Announcer
from app.state.circuits.memory import LocalCircuits, Means


def make_deps(
    client: UpstreamClient,
    local: UpstreamClient,
    listener: Listener,
    resting: Resting | None = None,
    clock: Clock = SystemClock(),  # noqa: B008 - it holds nothing
) -> Deps:
    """Return what every gateway of this process shares; `resting` must be among those that `listener` tells."""
    chance = SystemRandom().random
    circuits = LocalCircuits(Means(clock, chance, Announcer(listener)))
    sim = SimUpstream(clock, chance)
    return Deps(client, sim, local, listener, clock, chance, circuits, *alone(clock, listener), resting or Resting())
