"""
The strategies that routes can name: those of the gateway, and those that other packages bring along.

A package offers one by an entry point of the group `wizard.strategies`: a callable that takes `Tools` and returns a
`Strategy` (`app/core/routing/balancing.py`). Its code is imported only when a route names it.
"""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Final

from app.core.routing.balancing import STRATEGIES, Guarded, Strategy, StrategyFactory, Tools

GROUP: Final = "wizard.strategies"


class StrategyError(Exception):
    """A strategy cannot be used. `unknown` is true if nobody offers its name; else the text says what is wrong."""

    def __init__(self, reason: str, *, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown


def strategy_names() -> tuple[str, ...]:
    """List the names that a route can use: the gateway's own first, then the installed ones."""
    return tuple(dict.fromkeys([*STRATEGIES, *sorted(entry_points(group=GROUP).names)]))


def build_strategy(name: str, tools: Tools) -> Strategy:
    """
    Make the strategy `name`; the gateway's own win over installed ones of the same name.

    Raises:
        StrategyError: There is none, or it cannot be imported.
    """
    own = STRATEGIES.get(name)
    return own(tools) if own is not None else Guarded(require_strategy(name)(tools))


def require_strategy(name: str) -> StrategyFactory:
    """
    Return what makes the strategy `name`, importing it if it belongs to another package.

    Raises:
        StrategyError: There is none, or it cannot be imported.
    """
    own = STRATEGIES.get(name)
    return _imported(name) if own is None else own


def _imported(name: str) -> StrategyFactory:
    offered = entry_points(group=GROUP, name=name)
    if not offered:
        raise StrategyError("there is no strategy of this name", unknown=True)
    entry: EntryPoint = next(iter(offered))
    try:
        factory = entry.load()
    except (ImportError, AttributeError, SyntaxError) as error:
        reason = f"its entry point {entry.value} cannot be imported ({type(error).__name__})"
        raise StrategyError(reason) from error
    if not callable(factory):
        reason = f"its entry point {entry.value} is nothing that can be called"
        raise StrategyError(reason)
    made: StrategyFactory = factory
    return made
