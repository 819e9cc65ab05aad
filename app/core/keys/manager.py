"""Administration of virtual keys: issues, lists, rotates and revokes those of the configuration and of the store."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from app.core.clock import Clock
from app.core.errors import CONFLICT, INVALID_REQUEST, NOT_FOUND, GatewayError
from app.core.keys.store import KeyStore, key_exists
from app.core.keys.virtual_keys import (
    Entropy,
    Hasher,
    KeyHash,
    KeyTable,
    Scheme,
    Standing,
    VirtualKey,
    new_key_id,
    new_secret,
)
from app.core.money import Budget
from app.core.rules import Rule
from app.core.signals import KeyChanged, Listener
from app.core.traffic.admission import Priority

OVERLAP_S: Final = 86_400.0


class KeySpec(msgspec.Struct, frozen=True):
    """
    The properties of a new key; `expires` is in seconds since 1970, `expires_in_s` counts from now.

    With a `hash`, the secret was made elsewhere, and is not known here.
    """

    name: str | None = None
    team: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    expires: float | None = None
    expires_in_s: float | None = None
    priority: Priority | None = None
    hash: str | None = None
    limits: tuple[Rule, ...] = ()
    budget: Budget | None = None


class Issued(msgspec.Struct, frozen=True):
    """A key and its secret, which is returned only once; None if it was made elsewhere."""

    key: VirtualKey
    secret: str | None


class Listing(msgspec.Struct, frozen=True):
    """A key as an operator sees it; `source` is file, redis or memory, `status` active, expired or revoked."""

    key: VirtualKey
    source: str
    status: str


class KeyTools(msgspec.Struct, frozen=True):
    """What the manager works with; `alone`: no other process of this gateway keeps keys in its own memory."""

    hasher: Hasher
    clock: Clock
    entropy: Entropy
    listener: Listener
    alone: bool


class KeyManager:
    """
    The keys of one configuration, and those of the store.

    A secret is returned by the call that makes it, and never again.
    """

    def __init__(self, listed: KeyTable, store: KeyStore, tools: KeyTools) -> None:
        self._listed = listed
        self._store = store
        self._tools = tools

    def listing(self) -> list[Listing]:
        """Return all keys, each once, those of the configuration first."""
        return [self.shown(key) for key in self._keys()]

    async def issue(self, spec: KeySpec) -> Issued:
        """
        Make and store a key.

        Raises:
            GatewayError: CONFLICT, also for a name that another valid key has; INVALID_REQUEST, STATE_UNAVAILABLE.
        """
        self._require_shared_keys()
        tools, now_wall = self._tools, self._tools.clock.wall()
        expires = spec.expires if spec.expires_in_s is None else now_wall + spec.expires_in_s
        if expires is not None and expires <= now_wall:
            raise GatewayError(INVALID_REQUEST, "The key would have expired already.", param="expires_at")
        self._require_new_name(spec.name, now_wall)
        secret = None if spec.hash is not None else new_secret(tools.entropy)
        stored = self._parsed(spec.hash) if secret is None else tools.hasher.stored(secret.encode())
        key_id = new_key_id(tools.entropy)
        key = VirtualKey(
            id=key_id,
            name=spec.name or key_id,
            hash=stored,
            team=spec.team,
            user=spec.user,
            tags=spec.tags,
            models=spec.models,
            roles=spec.roles,
            priority=spec.priority,
            limits=spec.limits,
            budgets=() if spec.budget is None else (msgspec.structs.replace(spec.budget, name=f"key {key_id}"),),
            created=now_wall,
            expires=expires,
        )
        if self._listed.has(key):
            raise key_exists()
        await self._store.add(key)
        tools.listener(KeyChanged(key.id, "created"))
        return Issued(key, secret)

    async def revoke(self, key_id: str) -> Listing:
        """
        Revoke a key at once, everywhere; a key of the configuration stays revoked even while the file has it.

        Raises:
            GatewayError: NOT_FOUND, STATE_UNAVAILABLE, CONFLICT.
        """
        self._require_shared_keys()
        now_wall = self._tools.clock.wall()
        listed = self._listed.get(key_id)
        if listed is None:
            changed = await self._store.change(key_id, lambda key: key.revoked_at(now_wall))
        else:
            changed = await self._revoke_listed(listed.revoked_at(now_wall))
        self._tools.listener(KeyChanged(key_id, "revoked"))
        return self.shown(changed)

    async def rotate(self, key_id: str, overlap_s: float = OVERLAP_S) -> Issued:
        """
        Give a key a new secret; the old one stays valid for `overlap_s`.

        Raises:
            GatewayError: NOT_FOUND, STATE_UNAVAILABLE; CONFLICT for a key of the configuration, or a revoked one.
        """
        self._require_shared_keys()
        if self._listed.get(key_id) is not None:
            advice = "Run 'wizard keys rotate' and put what it prints into the file."
            raise GatewayError(CONFLICT, "This key stands in the configuration file.", suggestion=advice)
        tools = self._tools
        secret = new_secret(tools.entropy)
        fresh, now_wall = tools.hasher.stored(secret.encode()), tools.clock.wall()
        changed = await self._store.change(key_id, lambda key: _usable(key).rotated(fresh, now_wall, overlap_s))
        tools.listener(KeyChanged(key_id, "rotated"))
        return Issued(changed, secret)

    def shown(self, key: VirtualKey) -> Listing:
        """Return a key with its source and its current status."""
        source = "file" if key.in_file else "redis" if self._store.persistent else "memory"
        standing = key.standing(self._tools.clock.wall()).value
        return Listing(key, source, "active" if standing == "valid" else standing)

    def _keys(self) -> Iterator[VirtualKey]:
        stored = self._store.every()
        revoked_by_id = {key.id: key for key in stored if key.in_file}
        for key in self._listed:
            revoked = revoked_by_id.get(key.id)
            yield revoked if revoked is not None and revoked.hash == key.hash else key
        yield from (key for key in stored if not key.in_file)

    def _require_new_name(self, name: str | None, now_wall: float) -> None:
        """Raise CONFLICT if a valid key has this name, because reports and lists identify keys by name."""
        if name is not None and any(
            key.name == name and key.standing(now_wall) is Standing.VALID for key in self._keys()
        ):
            advice = "Choose another name, or rotate or revoke that key."
            raise GatewayError(CONFLICT, f"There is a key called {name!r} already.", param="name", suggestion=advice)

    async def _revoke_listed(self, revoked: VirtualKey) -> VirtualKey:
        """Store a key of the configuration as revoked."""
        try:
            return await self._store.change(revoked.id, lambda _key: revoked)
        except GatewayError as error:
            if error.kind is not NOT_FOUND:
                raise
        await self._store.add(revoked)
        return revoked

    def _parsed(self, text: str | None) -> KeyHash:
        stored = KeyHash.parse(text or "")
        if stored.scheme is Scheme.HMAC_SHA256 and self._tools.hasher.preferred is not Scheme.HMAC_SHA256:
            raise GatewayError(CONFLICT, "This gateway has no pepper to check an HMAC with.", param="hash")
        return stored

    def _require_shared_keys(self) -> None:
        if not self._store.persistent and not self._tools.alone:
            message = "Keys that are made or revoked here would be known to one worker process only."
            advice = "Set 'redis.url', or change the keys in the file and reload it."
            raise GatewayError(CONFLICT, message, suggestion=advice)


def _usable(key: VirtualKey) -> VirtualKey:
    if key.revoked is not None:
        advice = "Make a new key instead."
        raise GatewayError(CONFLICT, "The key is revoked; a fresh secret would not be valid either.", suggestion=advice)
    return key
