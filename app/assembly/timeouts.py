"""How long a provider may take or be silent, and when its answer counts as begun."""

from __future__ import annotations

from collections.abc import Mapping

from app.config.schema import Settings
from app.core.model import Weight
from app.providers.endpoint import ReadingOptions
from app.stages.timeouts import AttemptTimeout

_COMMITS: Mapping[str, Weight] = {"any_event": Weight.NOTHING, "visible": Weight.THOUGHT, "answer": Weight.ANSWER}


def reading_options(settings: Settings) -> ReadingOptions:
    """Return how answers are read."""
    return ReadingOptions(
        connect_s=settings.timeouts.connect_s,
        idle_s=settings.timeouts.idle_s,
        weight=_COMMITS[settings.streaming.commit],
        held_max_bytes=settings.streaming.buffer_bytes,
    )


def attempt_timeout(settings: Settings) -> AttemptTimeout:
    """Return the stage that bounds each try."""
    return AttemptTimeout(settings.timeouts.first_token_s, settings.timeouts.response_s)
