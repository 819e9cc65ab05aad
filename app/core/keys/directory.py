"""
Authenticates credentials: virtual keys of the configuration, virtual keys of the store, and signed tokens.

The look-up takes the same work for all credentials, and a caller who is refused does not learn why.
"""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

from app.core.clock import Clock
from app.core.errors import STATE_UNAVAILABLE, UNAUTHORIZED, GatewayError
from app.core.identity import ANONYMOUS, OPEN, Caller, Credential
from app.core.keys.store import KeyStore
from app.core.keys.virtual_keys import Found, Hasher, KeyTable, Standing
from app.core.signals import CredentialRefused, Listener

MISSING: Final = "missing"
_RETRY_AFTER_S = 1.0  # unreachable sources are retried all the time
_MARK_BYTES = 8
_JSON_START = b"eyJ"  # the beginning of every signed token: '{"' in base64


class Tokens(Protocol):
    """Verifies signed tokens (JWT)."""

    async def read(self, token: bytes) -> Found:
        """Verify a token; waits briefly if the keys of its issuer are not known yet."""


class Sources(msgspec.Struct, frozen=True):
    """Where callers are looked up: keys of the configuration (`listed`) and `store`; tokens (None: not accepted)."""

    listed: KeyTable
    store: KeyStore
    hasher: Hasher
    tokens: Tokens | None = None


class Directory:
    """
    The `Identities` of one configuration.

    Without `required`, callers with no key or an unknown one are admitted as anonymous, because some clients insist on
    sending a key. A revoked or expired key is refused all the same.
    """

    def __init__(self, sources: Sources, clock: Clock, listener: Listener, *, required: bool) -> None:
        self._sources = sources
        self._clock = clock
        self._listener = listener
        self._required = required

    async def identify(self, credential: Credential | None, request_id: str = "") -> Caller:
        """Return the caller with this credential; see `Identities`."""
        if credential is None:
            if self._required:
                raise self._refusal(request_id, MISSING, "", "No key was sent.")
            return ANONYMOUS
        digests = self._sources.hasher.digests(credential.token)
        found = self._find(digests)
        if found.key is None and self._sources.tokens is not None and _is_token(credential.token):
            found = await self._sources.tokens.read(credential.token)
        if found.caller is not None:
            return found.caller
        standing = found.standing
        if not self._required and standing in {Standing.UNKNOWN, Standing.UNDECIDED}:
            return _anonymous(digests[0])
        if standing is Standing.UNDECIDED:
            message = "Whether this key is valid cannot be told at present."
            raise GatewayError(STATE_UNAVAILABLE, message, retry_after_s=_RETRY_AFTER_S)
        raise self._refusal(request_id, standing.value, found.key.id if found.key else "", "The key is not valid.")

    def _find(self, digests: tuple[bytes, ...]) -> Found:
        """Look up a secret in both sources; a key of the configuration takes precedence unless the store revokes it."""
        now_wall = self._clock.wall()
        stored = self._sources.store.find(digests, now_wall)
        listed = self._sources.listed.find(digests, now_wall)
        return stored if listed.key is None or stored.standing is Standing.REVOKED else listed

    def _refusal(self, request_id: str, reason: str, key_id: str, message: str) -> GatewayError:
        self._listener(CredentialRefused(request_id, reason, key_id))
        return GatewayError(UNAUTHORIZED, message)


def _anonymous(digest: bytes) -> Caller:
    """Return an unknown caller, identified by its credential, so that it sees no stored data of others."""
    mark = f"{OPEN}-{digest[:_MARK_BYTES].hex()}"
    return Caller(mark, mark)


def _is_token(token: bytes) -> bool:
    return token.startswith(_JSON_START) and token.count(b".") == 2  # noqa: PLR2004 - header, claims, signature
