"""Assemble the model catalogue: context windows, prices and capabilities of the configured providers' models."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from app.config.catalogue import read_catalogue
from app.config.features.catalogue import ModelFacts
from app.config.schema import Settings
from app.core.allow_list import slashed
from app.core.catalogue import ModelInfo, Models


def models(settings: Settings) -> Models:
    """Return the catalogue with the operator's file and overrides applied."""
    given = settings.catalogue
    kinds = {name: provider.kind for name, provider in settings.providers.items()}
    overrides = {slashed(name): _override(facts) for name, facts in given.models.items()}
    return Models(read_catalogue(None if given.file is None else Path(given.file)), kinds, overrides)


def _override(facts: ModelFacts) -> Callable[[ModelInfo], ModelInfo]:
    changes = {name: value for name, value in facts.model_dump().items() if value is not None}

    def changed(found: ModelInfo) -> ModelInfo:
        return msgspec.structs.replace(found, **changes)

    return changed
