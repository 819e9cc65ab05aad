"""
The public keys of a token issuer, fetched from its JWKS address.

Keys are refreshed in the background while the old ones stay in use. Only a call whose token names an unknown key waits
briefly for a fetch. Such fetches are rate limited, so invented key names do not burden the issuer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import jwt
import msgspec

from app.core.clock import Clock
from app.core.errors import GatewayError
from app.core.signals import Listener, TokenKeysChanged

Fetch: TypeAlias = Callable[[str], Awaitable[bytes]]  # may raise GatewayError

PAUSE_S: Final = 10.0  # least time between the starts of two fetches
PATIENCE_S: Final = 1.0  # how long one call waits for a fetch


_FAMILIES: Final[Mapping[str, str]] = MappingProxyType({"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"})


class _Published(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Key:
    """One published key; its algorithm is optional (RFC 7517, section 4.4)."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name = entry.get("kid")
        self._entry = entry
        self._by_algorithm: dict[str, jwt.PyJWK | None] = {}

    def by(self, algorithm: str) -> jwt.PyJWK | None:
        """Return the key for `algorithm`, or None if it does not fit."""
        entry = self._entry
        if entry.get("kty") != _FAMILIES.get(algorithm[:2]) or entry.get("alg", algorithm) != algorithm:
            return None
        if algorithm not in self._by_algorithm:
            try:
                self._by_algorithm[algorithm] = jwt.PyJWK(entry, algorithm)
            except jwt.PyJWTError:
                self._by_algorithm[algorithm] = None
        return self._by_algorithm[algorithm]


class KeySet:
    """
    The keys published at one address.

    `generation` is incremented whenever the keys change: verdicts from earlier keys are then no longer valid.
    """

    def __init__(self, url: str, fetch: Fetch, clock: Clock, listener: Listener) -> None:
        self.generation = 0
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._listener = listener
        self._keys: tuple[_Key, ...] = ()
        self._published = b""
        self._fetched: float | None = None
        self._tried: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Return whether keys have ever been fetched."""
        return self._fetched is not None

    def find(self, name: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key called `name`; `name` may be None if only one key fits the algorithm."""
        candidates = [key.by(algorithm) for key in self._keys if name is None or key.name == name]
        fitting = [key for key in candidates if key is not None]
        return fitting[0] if len(fitting) == 1 else None

    def renew(self, refresh_s: float) -> None:
        """Fetch the keys in the background if they are older than `refresh_s`."""
        if self._fetched is None or self._clock.now() - self._fetched >= refresh_s:
            self._start()

    async def look_again(self) -> None:
        """Fetch the keys, at most once per `PAUSE_S`, and wait up to `PATIENCE_S`."""
        self._start()
        if self._fetching is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.shield(self._fetching)

    async def aclose(self) -> None:
        """Cancel a running fetch."""
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _start(self) -> None:
        now = self._clock.now()
        if self._fetching is not None or (self._tried is not None and now - self._tried < PAUSE_S):
            return
        self._tried = now
        self._fetching = asyncio.get_running_loop().create_task(self._load())

    async def _load(self) -> None:
        try:
            published = await self._fetch(self._url)
            if published != self._published:
                self._take(published)
        except GatewayError as error:
            self._listener(TokenKeysChanged(len(self._keys), error.kind.code))
        except msgspec.MsgspecError:
            self._listener(TokenKeysChanged(len(self._keys), "no_key_set"))
        else:
            self._fetched = self._clock.now()
        finally:
            self._fetching = None

    def _take(self, published: bytes) -> None:
        """Replace the keys; keys for encryption, which the set may also contain, are ignored."""
        entries = msgspec.json.decode(published, type=_Published).keys
        self._keys = tuple(_Key(entry) for entry in entries if entry.get("use", "sig") == "sig")
        self._published = published
        self.generation += 1
        self._listener(TokenKeysChanged(len(self._keys)))
