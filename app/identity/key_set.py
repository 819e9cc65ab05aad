"""
The public keys of an issuer of tokens, from the address where it publishes them (JWKS).

They are fetched off the path: what is known is used while it is being renewed. Only a call whose token names a key that
nobody has heard of waits for a fetch, for a moment, and such fetches have pauses between them, so that invented names
cost the issuer nothing.
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

PAUSE_S: Final = 10.0  # between fetches for names that are not known, and after one that failed
PATIENCE_S: Final = 1.0  # which one call has for a fetch


_FAMILIES: Final[Mapping[str, str]] = MappingProxyType({"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"})


class _Published(msgspec.Struct):
    keys: list[dict[str, Any]]


class _Key:
    """One published key; which algorithm it is for may be left open (RFC 7517, section 4.4)."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self.name = entry.get("kid")
        self._entry = entry
        self._made: dict[str, jwt.PyJWK | None] = {}

    def by(self, algorithm: str) -> jwt.PyJWK | None:
        """Return the key as one of `algorithm`, if it can be."""
        entry = self._entry
        if entry.get("kty") != _FAMILIES.get(algorithm[:2]) or entry.get("alg", algorithm) != algorithm:
            return None
        if algorithm not in self._made:
            try:
                self._made[algorithm] = jwt.PyJWK(entry, algorithm)
            except jwt.PyJWTError:
                self._made[algorithm] = None
        return self._made[algorithm]


class KeySet:
    """
    The keys behind one address.

    `generation` grows whenever the keys change: what was concluded from earlier ones must be concluded anew.
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
        """Say whether there have been any keys yet."""
        return self._fetched is not None

    def find(self, name: str | None, algorithm: str) -> jwt.PyJWK | None:
        """Return the key called `name`; a token may leave the name out where there is one key of its kind."""
        named = [key.by(algorithm) for key in self._keys if name is None or key.name == name]
        fitting = [key for key in named if key is not None]
        return fitting[0] if len(fitting) == 1 else None

    def renew(self, refresh_s: float) -> None:
        """Fetch the keys in the background if they are older than `refresh_s`."""
        if self._fetched is None or self._clock.now() - self._fetched >= refresh_s:
            self._start()

    async def look_again(self) -> None:
        """Fetch the keys, unless that was done just now, and wait for it for a moment."""
        self._start()
        if self._fetching is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await asyncio.shield(self._fetching)

    async def aclose(self) -> None:
        """End the fetch that is under way."""
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
        """Use these keys from now on; those that encrypt may stand beside those that sign."""
        entries = msgspec.json.decode(published, type=_Published).keys
        self._keys = tuple(_Key(entry) for entry in entries if entry.get("use", "sig") == "sig")
        self._published = published
        self.generation += 1
        self._listener(TokenKeysChanged(len(self._keys)))
