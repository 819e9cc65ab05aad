"""The addresses that a gateway listens on, and whether other machines can reach them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Literal

import msgspec

from app.config.schema import Settings


class Place(msgspec.Struct, frozen=True):
    """An address to listen on, and the section that configures it."""

    section: Literal["server", "admin"]
    host: str
    port: int

    @property
    def shared(self) -> bool:
        """Return whether other machines can reach it."""
        try:
            return not ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return self.host.lower() != "localhost"

    @property
    def url(self) -> str:
        """Return the URL for clients on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - compared, not bound
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"


def places(settings: Settings) -> Iterator[Place]:
    """Yield the address for calls, then that of the admin API, if it has a port of its own."""
    yield Place("server", settings.server.host, settings.server.port)
    if settings.admin.port is not None:
        yield Place("admin", settings.admin.host, settings.admin.port)
