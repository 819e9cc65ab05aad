"""
Counts what circuits do, by provider.

There is one circuit for each target, and any model name may become a target; a provider is as bad as its worst one.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from app.core.circuits import CircuitState
from app.core.signals import ELSEWHERE, CircuitChanged

_LEVELS: Mapping[str, int] = MappingProxyType(
    {CircuitState.CLOSED.value: 0, CircuitState.HALF_OPEN.value: 1, CircuitState.OPEN.value: 2}
)


class CircuitCounts:
    """
    States and transitions. Written by one thread; what it returns are copies.

    A change that another replica decided moves the state, but is not counted: the sum over replicas is the truth.
    """

    def __init__(self) -> None:
        self._levels: dict[str, dict[str, int]] = {}
        self._transitions: dict[tuple[str, str, str], int] = {}

    def count(self, signal: CircuitChanged) -> None:
        """Take note of a change."""
        levels = self._levels.setdefault(signal.provider, {})
        level = _LEVELS[signal.now]
        if level:
            levels[signal.model] = level
        else:
            levels.pop(signal.model, None)
        if signal.reason != ELSEWHERE:
            key = (signal.provider, signal.before, signal.now)
            self._transitions[key] = self._transitions.get(key, 0) + 1

    def states(self) -> list[tuple[tuple[str], int]]:
        """Return the worst state of each provider that ever had a circuit change: 0 closed, 1 half-open, 2 open."""
        levels = [(provider, list(models.values())) for provider, models in list(self._levels.items())]
        return [((provider,), max(found, default=0)) for provider, found in levels]

    def transitions(self) -> list[tuple[tuple[str, str, str], int]]:
        """Return how often each provider's circuits went from one state to another."""
        return list(self._transitions.items())
