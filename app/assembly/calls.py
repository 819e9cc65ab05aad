"""Assemble the small stages of calls: validation, system prompts and admission."""

from __future__ import annotations

from app.assembly.deps import Deps
from app.config.schema import Settings
from app.core.parameters import Quantities
from app.core.traffic.admission import Bounds
from app.stages.admission import Admission, AdmissionOptions
from app.stages.system_prompt import SystemPrompt, SystemPromptOptions
from app.stages.validate import Validate, ValidateOptions


def validate(settings: Settings) -> Validate:
    """Return the stage that refuses invalid requests."""
    given = settings.validation
    options = ValidateOptions(
        max_messages=given.max_messages,
        max_prompt_chars=given.max_prompt_chars,
        max_json_depth=given.max_json_depth,
        allow_control_chars=given.allow_control_chars,
        quantities=Quantities(given.max_tools, given.max_images),
        strict=given.strict,
        routes={name: route.strict for name, route in settings.models.items() if route.strict is not None},
    )
    return Validate(options)


def system_prompt(settings: Settings) -> list[SystemPrompt]:
    """Return the stage for system messages, if any route has settings for them."""
    routes = {
        name: SystemPromptOptions(route.system.prompt, route.system.callers)
        for name, route in settings.models.items()
        if route.system.prompt is not None or route.system.callers != "keep"
    }
    return [SystemPrompt(routes)] if routes else []


def admission(settings: Settings, deps: Deps) -> list[Admission]:
    """Return the stage that bounds and queues calls, if there is a bound."""
    given = settings.admission
    if given.max_in_flight is None:
        return []
    bounds = Bounds(given.max_in_flight, given.queue_max, given.adaptive)
    options = AdmissionOptions(bounds, given.queue_wait_s)
    return [Admission(options, deps.traffic.gate, deps.clock, deps.chance, deps.listener)]
