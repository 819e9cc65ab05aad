"""Strategies that nobody offers, and prices that one needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from app.config.catalogue import CatalogueError, read_catalogue
from app.config.checks.complaint import Complaint, Names, unusable
from app.config.plugins import ROUTE_STRATEGIES
from app.config.problems import MISSING
from app.config.routing import Route, Target
from app.config.schema import Settings
from app.config.trees import Loc


def strategies(settings: Settings, _names: Names) -> Iterator[tuple[Loc, Complaint]]:
    """Find routes whose strategy cannot work."""
    for name, route in settings.models.items():
        complaint = unusable(route.strategy, "strategy", ROUTE_STRATEGIES)
        if complaint is not None:
            yield ("models", name, "strategy"), complaint
        if route.strategy == "cost":
            yield from _prices(name, route, settings)


def _prices(name: str, route: Route, settings: Settings) -> Iterator[tuple[Loc, Complaint]]:
    for index, target in enumerate(route.targets):
        if _is_known(target, settings):
            continue
        for field in ("input_usd_per_mtok", "output_usd_per_mtok"):
            if getattr(target, field) is None:
                suggestion = f"add {field} (0 for a model of your own), or choose another strategy"
                expected = "a price in US dollars per million tokens: strategy cost compares prices"
                yield ("models", name, "targets", index, field), Complaint(MISSING, expected, suggestion)


def _is_known(target: Target, settings: Settings) -> bool:
    """Say whether the catalogue has a price for a target."""
    provider = settings.providers.get(target.provider)
    if provider is None:
        return False
    try:
        catalogue = read_catalogue(None if settings.catalogue.file is None else Path(settings.catalogue.file))
    except CatalogueError:  # which is complained of where it is named
        return False
    info = catalogue.find(provider.kind, target.model)
    return info is not None and info.price is not None
