"""Settings that are one thing for most routes and another for some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

from app.core.allow_list import slashed

T = TypeVar("T")


class PerRoute(Generic[T]):
    """
    What holds for a call by the model that it asks for.

    Args:
        common: What holds for every route that has none of its own.

        routes: What holds for routes, by their name or as `provider/model`.
    """

    def __init__(self, common: T, routes: Mapping[str, T]) -> None:
        self._common = common
        self._routes = {slashed(name): each for name, each in routes.items()}

    def of(self, model: str) -> T:
        """Return what holds for a model as a caller names it; `provider:model` is `provider/model`."""
        if not self._routes:
            return self._common
        return self._routes.get(slashed(model), self._common)

    def all(self) -> tuple[T, ...]:
        """Return everything that holds somewhere."""
        return (self._common, *self._routes.values())
