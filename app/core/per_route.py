"""Settings that are one thing for most routes and another for some."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, TypeVar

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
        self._routes = dict(routes)

    def of(self, model: str) -> T:
        """Return what holds for a model as a caller names it; `provider:model` is `provider/model`."""
        if not self._routes:
            return self._common
        found = self._routes.get(model)
        return self._routes.get(model.replace(":", "/", 1), self._common) if found is None else found

    def all(self) -> tuple[T, ...]:
        """Return everything that holds somewhere."""
        return (self._common, *self._routes.values())
