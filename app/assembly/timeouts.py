"""How long a provider may be silent, and when its answer counts as begun."""

from __future__ import annotations

from collections.abc import Mapping

from app.config.schema import Settings
from app.core.model import Weight
from app.providers.endpoint import ReadingOptions

_COMMITS: Mapping[str, Weight] = {"any_event": Weight.NOTHING, "visible": Weight.THOUGHT, "answer": Weight.ANSWER}


def reading_options(settings: Settings) -> ReadingOptions:
    """Return how answers are read."""
    return ReadingOptions(
        connect_s=settings.timeouts.connect_s,
        idle_s=settings.timeouts.idle_s,
        weight=_COMMITS[settings.streaming.commit],
        held_max_bytes=settings.streaming.buffer_bytes,
    )
