"""
Plugins from other packages: kinds of provider, strategies of routes, guards, and sources of secrets.

A package registers one by an entry point of the group: for `wizard.providers` a callable that takes a `Build` and
returns a `Codec` (docs/provider-kit.md), for `wizard.strategies` one that takes `Tools` and returns a `Strategy`
(`app/core/routing/balancing.py`), for `wizard.guards` one that takes `GuardTools` and returns a `Guard`
(`app/core/guards/guard.py`), for `wizard.secrets` one that takes the text after the colon of `${name:…}` and returns
the secret (docs/configuration.md). Its code is imported only if the configuration names it.
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
    """A name cannot be used. `unknown` is true if no package registers it; otherwise the message says what is wrong."""

    def __init__(self, reason: str, *, unknown: bool = False) -> None:
        super().__init__(reason)
        self.unknown = unknown


class Plugins(Generic[T_co]):
    """
    The plugins of one group.

    Args:
        group: The group of entry points.

        own: The built-in names; they take precedence over installed ones.
    """

    def __init__(self, group: str, own: Collection[str] = ()) -> None:
        self.group = group
        self.own = tuple(own)

    @property
    def names(self) -> tuple[str, ...]:
        """Return every name: the built-in ones first, then the installed ones."""
        return tuple(dict.fromkeys([*self.own, *sorted(entry_points(group=self.group).names)]))

    def load(self, name: str) -> T_co:
        """
        Import and return the plugin that another package registers as `name`.

        Raises:
            PluginError: No package registers it, or it cannot be imported.
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
        plugin: T_co = factory
        return plugin


PROVIDER_KINDS: Final = Plugins[Any]("wizard.providers", ("sim", "local", *PRESETS))  # the registry knows the type
ROUTE_STRATEGIES: Final = Plugins[StrategyFactory]("wizard.strategies", STRATEGIES)
GUARDS: Final = Plugins[GuardFactory]("wizard.guards")
SECRETS: Final = Plugins[Callable[[str], str]]("wizard.secrets")
