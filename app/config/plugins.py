"""
What other packages bring along: kinds of provider, strategies of routes, guards, and sources of secrets.

A package offers one by an entry point of the group: for `wizard.providers` a callable that takes a `Build` and returns
a `Codec` (docs/provider-kit.md), for `wizard.strategies` one that takes `Tools` and returns a `Strategy`
(`app/core/routing/balancing.py`), for `wizard.guards` one that takes `GuardTools` and returns a `Guard`
(`app/core/guards/guard.py`), for `wizard.secrets` one that takes what stands behind the colon of `${name:…}` and
returns the secret (docs/configuration.md). Its code is imported only when the configuration names it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final, Generic, TypeVar

from app.config.presets import PRESETS
from app.core.guards.guard import GuardFactory
from app.core.routing.balancing import STRATEGIES, StrategyFactory

T_co = TypeVar("T_co", covariant=True)


class PluginError(Exception):
    """A name cannot be used. `unknown` is true if nobody offers it; else the text says what is wrong."""

    def __init__(self, reason: str, *, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown


class Plugins(Generic[T_co]):
    """
    What can be named in one place of the configuration.

    Args:
        group: That of the entry points.

        own: The names that the gateway itself has; they win over installed ones.
    """

    def __init__(self, group: str, own: Collection[str] = ()) -> None:
        self.group = group
        self.own = tuple(own)

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name: the gateway's own first, then the installed ones."""
        return tuple(dict.fromkeys([*self.own, *sorted(entry_points(group=self.group).names)]))

    def load(self, name: str) -> T_co:
        """
        Return what another package offers under `name`, importing it.

        Raises:
            PluginError: Nobody offers it, or it cannot be imported.
        """
        offered = entry_points(group=self.group, name=name)
        if not offered:
            raise PluginError(f"nobody offers it (entry points of {self.group})", unknown=True)
        entry: EntryPoint = next(iter(offered))
        try:
            factory = entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            reason = f"its entry point {entry.value} cannot be imported ({type(error).__name__})"
            raise PluginError(reason) from error
        if not callable(factory):
            raise PluginError(f"its entry point {entry.value} is nothing that can be called")
        found: T_co = factory
        return found


PROVIDER_KINDS: Final = Plugins[Any]("wizard.providers", ("sim", "local", *PRESETS))  # the registry knows the type
ROUTE_STRATEGIES: Final = Plugins[StrategyFactory]("wizard.strategies", STRATEGIES)
GUARDS: Final = Plugins[GuardFactory]("wizard.guards")
SECRETS: Final = Plugins[Callable[[str], str]]("wizard.secrets")
