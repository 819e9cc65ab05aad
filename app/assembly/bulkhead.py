"""How many attempts one provider or target is given at the same time."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.call import Target
from app.stages.bulkhead import Bulkhead


def bulkhead(settings: Settings, deps: Deps) -> list[Bulkhead]:
    """Return the stage that bounds attempts, if there is any bound."""
    bounds = _bounds(settings)
    return [Bulkhead(bounds, deps.traffic.slots)] if bounds else []


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
