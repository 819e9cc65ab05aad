"""How many calls are worked on at the same time."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.traffic.admission import Bounds
from app.stages.admission import Admission, AdmissionOptions


def admission(settings: Settings, deps: Deps) -> list[Admission]:
    """Return the stage that lets calls wait, if they are bounded at all."""
    given = settings.admission
    if given.max_in_flight is None:
        return []
    bounds = Bounds(given.max_in_flight, given.queue_max, given.adaptive)
    options = AdmissionOptions(bounds, given.queue_wait_s)
    return [Admission(options, deps.traffic.gate, deps.clock, deps.chance, deps.listener)]
