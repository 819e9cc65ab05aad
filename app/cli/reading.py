"""Build a gateway from a configuration without opening connections."""

from __future__ import annotations

from pathlib import Path

from app.assembly import Deps, build_gateway, make_deps
from app.cli.embedded_default import read_here
from app.config.load import Loaded
from app.core.gateway import Gateway
from app.providers.pool import PoolClient, PoolOptions


class Offline:
    """
    The settings, dependencies and gateway of a configuration. Call `aclose` after opening connections.

    Raises:
        ConfigError: With every problem at once.
    """

    def __init__(self, path: Path | None) -> None:
        self.loaded: Loaded = read_here(path)
        self._client = PoolClient(PoolOptions())
        self.deps: Deps = make_deps(self._client, self._client, lambda _signal: None)
        self.gateway: Gateway = build_gateway(self.loaded, self.deps)

    async def aclose(self) -> None:
        """Close the connections that were opened."""
        await self._client.aclose()
        await self.deps.ways.aclose()
