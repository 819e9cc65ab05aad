"""Holds what is in use: a configuration and the gateway that was built from it."""

from __future__ import annotations

from collections.abc import Callable

from app.assembly import Deps, build_gateway
from app.config.load import Loaded
from app.config.schema import Settings
from app.core.gateway import Gateway


class Holder:
    """
    Holds the gateway that new calls use.

    `applied` is called with the settings of each exchange, for what lives outside the gateway and can follow them.
    """

    def __init__(self, loaded: Loaded, deps: Deps, applied: Callable[[Settings], None]) -> None:
        self._deps = deps
        self._applied = applied
        self.loaded = loaded
        self.current: Gateway = build_gateway(loaded, deps)

    def exchange(self, loaded: Loaded) -> None:
        """Use another configuration from now on."""
        self.current = build_gateway(loaded, self._deps)
        self.loaded = loaded
        self._applied(loaded.settings)
