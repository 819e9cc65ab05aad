"""The clients of providers that are reached in a way of their own: by a proxy, by HTTP/2, with other certificates."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from app.providers.pool import PoolClient, PoolOptions, TlsOptions

if TYPE_CHECKING:
    from app.providers.client import HttpxClient

Client: TypeAlias = "PoolClient | HttpxClient"


class Way(msgspec.Struct, frozen=True):
    """How a provider is reached: through the HTTP proxy at `proxy`, by HTTP/2, or by the pool if neither is wanted."""

    proxy: str | None = None
    http2: bool = False
    tls: TlsOptions = TlsOptions()


class Ways:
    """One client for each way that was asked for, within the bounds of `options`; owns them all."""

    def __init__(self, options: PoolOptions | None = None) -> None:
        self._options = options or PoolOptions()
        self._clients: dict[Way, Client] = {}

    def along(self, way: Way) -> Client:
        """
        Return the client of a way.

        Raises:
            GatewayError: TARGET_MISCONFIGURED for TLS files that cannot be used.
        """
        if way not in self._clients:
            self._clients[way] = self._open(way)
        return self._clients[way]

    async def aclose(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    def _open(self, way: Way) -> Client:
        options = msgspec.structs.replace(self._options, tls=way.tls)
        if way.proxy is None and not way.http2:
            return PoolClient(options)
        client = import_module("app.providers.client")  # brings httpx2, 4 MB, for these providers alone
        made: HttpxClient = client.HttpxClient(options, way.proxy, http2=way.http2)
        return made
