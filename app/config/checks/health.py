"""Providers that are to be asked how they are, and no model to ask."""

from __future__ import annotations

from collections.abc import Iterator

from app.config.checks.complaint import Complaint, Names
from app.config.problems import MISSING
from app.config.schema import Settings
from app.config.trees import Loc


def health(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find health checks without a model."""
    for name, provider in settings.providers.items():
        if provider.health.enabled and provider.health.model is None:
            expected = "a model of the provider, the cheapest that it has"
            yield ("providers", name, "health", "model"), Complaint(MISSING, expected, "name one, or remove health")
