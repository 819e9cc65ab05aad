"""The port for keys that are made and revoked while the gateway runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from app.core.errors import CONFLICT, NOT_FOUND, GatewayError
from app.core.keys.virtual_keys import Found, VirtualKey


class KeyStore(Protocol):
    """
    Keys beside those of the configuration, in the memory of this process or in Redis.

    A key of the configuration that is to be revoked at once is put here as well, as revoked.
    """

    @property
    def persistent(self) -> bool:
        """Say whether the keys outlive this process."""

    def find(self, digests: Iterable[bytes], now_wall: float) -> Found:
        """Find whose secret has one of `digests`; asks nobody, so that it takes no time."""

    def every(self) -> list[VirtualKey]:
        """Return all keys, revoked ones included."""

    async def add(self, key: VirtualKey) -> None:
        """
        Store a new key.

        Raises:
            GatewayError: CONFLICT if its id or its secret is there already, STATE_UNAVAILABLE.
        """

    async def change(self, key_id: str, step: Callable[[VirtualKey], VirtualKey]) -> VirtualKey:
        """
        Replace a key by what `step` makes of it, which may be called again if another replica was faster.

        Raises:
            GatewayError: NOT_FOUND, STATE_UNAVAILABLE.
        """


def no_such_key(key_id: str) -> GatewayError:
    """Return the refusal of an id that nobody has."""
    return GatewayError(NOT_FOUND, f"There is no key {key_id[:100]!r}.", suggestion="GET /admin/keys lists the keys.")


def key_exists() -> GatewayError:
    """Return the refusal of a key that is there already."""
    advice = "Choose another id, or revoke the key that has this one."
    return GatewayError(CONFLICT, "A key with this id or this secret exists already.", suggestion=advice)
