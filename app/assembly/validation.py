"""The bounds of a request that is accepted at all."""

from __future__ import annotations

from app.config.schema import Settings
from app.core.parameters import Quantities
from app.stages.validate import Validate, ValidateOptions


def validate(settings: Settings) -> Validate:
    """Return the stage that refuses what no target could answer."""
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
