"""The port for virtual keys that are issued and revoked while the gateway runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from app.core.errors import CONFLICT, NOT_FOUND, GatewayError
from app.core.keys.virtual_keys import Found, VirtualKey


class KeyStore(Protocol):
    """
    Keys that are not in the configuration, in the memory of this process or in Redis.

    A key of the configuration that an operator revokes is stored here as well, as revoked.
    """

    @property
    def persistent(self) -> bool:
        """Return whether the keys outlive this process."""

    def find(self, digests: Iterable[bytes], now_wall: float) -> Found:
        """Find the key whose secret has one of `digests`; does no I/O."""

    def every(self) -> list[VirtualKey]:
        """Return all keys, revoked ones included."""

    async def add(self, key: VirtualKey) -> None:
        """
        Store a new key.

        Raises:
            GatewayError: CONFLICT if a key with its id or its secret exists, STATE_UNAVAILABLE.
        """

    async def change(self, key_id: str, step: Callable[[VirtualKey], VirtualKey]) -> VirtualKey:
        """
        Replace a key by the result of `step`, which is called again if another replica changes the key concurrently.

        Raises:
            GatewayError: NOT_FOUND, STATE_UNAVAILABLE.
        """


def no_such_key(key_id: str) -> GatewayError:
    """Return the error for an unknown id."""
    return GatewayError(NOT_FOUND, f"There is no key {key_id[:100]!r}.", suggestion="GET /admin/keys lists the keys.")


def key_exists() -> GatewayError:
    """Return the error for a key whose id or secret exists already."""
    advice = "Choose another id, or revoke the key that has this one."
    return GatewayError(CONFLICT, "A key with this id or this secret exists already.", suggestion=advice)
