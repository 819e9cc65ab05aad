"""What the calls of single routes are told before anything else."""

from __future__ import annotations

from app.config.schema import Settings
from app.stages.instruct import Instruct, InstructOptions


def instruct(settings: Settings) -> list[Instruct]:
    """Return the stage for system messages, if any route has something to say about them."""
    routes = {
        name: InstructOptions(route.system.prompt, route.system.callers)
        for name, route in settings.models.items()
        if route.system.prompt is not None or route.system.callers != "keep"
    }
    return [Instruct(routes)] if routes else []
