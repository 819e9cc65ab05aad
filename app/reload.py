"""
Exchange the gateway for one built from a newer configuration, without a call noticing.

Building can fail, swapping cannot: the new gateway is complete before one reference changes. A call keeps the gateway
it started with. Nothing has to be closed, because everything that is opened (connections, the local model, the
listeners) outlives configurations.
"""

from __future__ import annotations

from collections.abc import Callable

from app.assembly import Deps, build_gateway
from app.config.load import ConfigError, Loaded
from app.config.schema import Settings
from app.core.gateway import Gateway
from app.core.signals import ConfigRejected, ConfigReloaded


class Holder:
    """
    Holds the gateway that new calls use.

    `applied` is called with the settings of each reload, for what lives outside the gateway and can follow them.
    """

    def __init__(self, loaded: Loaded, deps: Deps, applied: Callable[[Settings], None]) -> None:
        self._deps = deps
        self._applied = applied
        self.current: Gateway = build_gateway(loaded, deps)

    def reload(self, read: Callable[[], Loaded]) -> None:
        """Read the configuration again and use it from now on; a bad one is reported and changes nothing."""
        try:
            loaded = read()
        except ConfigError as error:
            self._deps.listener(ConfigRejected(len(error.problems), error.problems[0].path))
            return
        before = self.current.digest
        self.current = build_gateway(loaded, self._deps)
        self._applied(loaded.settings)
        self._deps.listener(ConfigReloaded(before, loaded.digest))
