"""The clients of providers that are reached through a proxy."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.providers.client import HttpxClient


class ProxiedClients:
    """One client for each proxy that was asked for; owns them all."""

    def __init__(self) -> None:
        self._clients: dict[str, HttpxClient] = {}

    def through(self, proxy: str) -> HttpxClient:
        """Return the client that goes through `proxy`."""
        if proxy not in self._clients:
            client = import_module("app.providers.client")  # brings httpx2, 4 MB, for providers behind a proxy alone
            self._clients[proxy] = client.HttpxClient(proxy)
        return self._clients[proxy]

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()
