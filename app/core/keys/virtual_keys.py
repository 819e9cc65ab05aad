"""
Virtual keys: the keys of callers, their hashes, and look-up by secret.

A key is 256 random bits, so one round of SHA-256 protects it as well as a slow hash would. Only that digest is stored
(or an HMAC with a pepper, so that a stolen list cannot even be used to recognise keys). Everything is pure: time and
randomness are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Final

import msgspec

from app.core.errors import INVALID_REQUEST, GatewayError
from app.core.identity import Caller
from app.core.money import Budget
from app.core.rules import Rule
from app.core.traffic.admission import Priority

KEY_PREFIX: Final = "wz-"  # by which people and secret scanners recognise a key
ID_PREFIX: Final = "key_"
SECRET_BYTES: Final = 32
_ID_BYTES: Final = 8
_HASH: Final = re.compile(r"(sha256|hmac-sha256):([0-9a-fA-F]{64})")

Entropy = Callable[[int], bytes]


class Scheme(Enum):
    """How a stored hash was made."""

    SHA256 = "sha256"
    HMAC_SHA256 = "hmac-sha256"


class Standing(Enum):
    """The status of a key that a caller sent; callers only learn whether it is valid."""

    VALID = "valid"
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"
    UNDECIDED = "undecided"  # what could decide it is unreachable


class KeyHash(msgspec.Struct, frozen=True):
    """All that is stored of a key."""

    scheme: Scheme
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> KeyHash:
        """
        Read `sha256:HEX` or `hmac-sha256:HEX`.

        Raises:
            GatewayError: INVALID_REQUEST; the message does not repeat the text, which may be a key by mistake.
        """
        found = _HASH.fullmatch(text.strip())
        if found is None:
            message = "A key's hash is 'sha256:' or 'hmac-sha256:' and 64 hexadecimal digits."
            raise GatewayError(INVALID_REQUEST, message, param="hash")
        return cls(Scheme(found[1]), bytes.fromhex(found[2]))

    def __str__(self) -> str:
        """Return the form that `parse` reads."""
        return f"{self.scheme.value}:{self.digest.hex()}"


class Hasher:
    """Computes the digests of a secret under which its key may be stored; always with the same work."""

    def __init__(self, pepper: bytes = b"") -> None:
        self._pepper = hmac.new(pepper, digestmod=hashlib.sha256) if pepper else None

    @property
    def preferred(self) -> Scheme:
        """Return the scheme for new keys."""
        return Scheme.SHA256 if self._pepper is None else Scheme.HMAC_SHA256

    def digests(self, secret: bytes) -> tuple[bytes, ...]:
        """Return the digest by each scheme that this gateway can check."""
        plain = hashlib.sha256(secret).digest()
        if self._pepper is None:
            return (plain,)
        peppered = self._pepper.copy()  # cheaper than a new HMAC
        peppered.update(secret)
        return plain, peppered.digest()

    def stored(self, secret: bytes) -> KeyHash:
        """Return the hash to store for a new key."""
        return KeyHash(self.preferred, self.digests(secret)[-1])


class VirtualKey(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A key and what its owner may do. Times are seconds since the Unix epoch; None is never.

    `id` stays the same when the secret is rotated, and with it the limits, budgets, sessions and stored answers of the
    key. `previous` is the hash of the old secret, valid until `previous_until`. `models` and `roles` of None allow all.
    `in_file`: it comes from the configuration.
    """

    id: str
    name: str
    hash: KeyHash
    team: str | None = None
    user: str | None = None
    tags: tuple[str, ...] = ()
    models: tuple[str, ...] | None = None
    roles: tuple[str, ...] | None = None
    priority: Priority | None = None
    created: float = 0.0
    expires: float | None = None
    revoked: float | None = None
    previous: KeyHash | None = None
    previous_until: float | None = None
    in_file: bool = False
    limits: tuple[Rule, ...] = ()
    budgets: tuple[Budget, ...] = ()

    def standing(self, now_wall: float) -> Standing:
        """Return whether the key is valid, revoked or expired."""
        if self.revoked is not None:
            return Standing.REVOKED
        return Standing.EXPIRED if self.expires is not None and now_wall >= self.expires else Standing.VALID

    def revoked_at(self, now_wall: float) -> VirtualKey:
        """Return the key as revoked; keeps the time of an earlier revocation."""
        return self if self.revoked is not None else msgspec.structs.replace(self, revoked=now_wall)

    def rotated(self, fresh: KeyHash, now_wall: float, overlap_s: float) -> VirtualKey:
        """Return the key with a new secret; the old one stays valid for `overlap_s`."""
        return msgspec.structs.replace(self, hash=fresh, previous=self.hash, previous_until=now_wall + overlap_s)


class Found(msgspec.Struct, frozen=True):
    """
    The result of a look-up; `key` is the one with the secret, even if it is not valid.

    `caller` is that of a valid key: the same object each time, as long as the key does not change.
    """

    standing: Standing
    key: VirtualKey | None = None
    caller: Caller | None = None


class _Entry(msgspec.Struct, frozen=True):
    """A secret of a key, and the result of a look-up while it is valid."""

    digest: bytes
    key: VirtualKey
    valid: Found
    until: float | None = None


_NO_HASH = KeyHash(Scheme.SHA256, bytes(hashlib.sha256().digest_size))
_NO_KEY = VirtualKey("", "", _NO_HASH)
_NOBODY = _Entry(_NO_HASH.digest, _NO_KEY, Found(Standing.VALID))  # takes as long to check as any other
UNKNOWN: Final = Found(Standing.UNKNOWN)
UNDECIDED: Final = Found(Standing.UNDECIDED)


class KeyTable:
    """Keys by the digests of their secrets, and by their ids."""

    def __init__(self, keys: Iterable[VirtualKey] = ()) -> None:
        self._entries: dict[bytes, _Entry] = {}
        self._keys: dict[str, VirtualKey] = {}
        for key in keys:
            self.put(key)

    def __len__(self) -> int:
        """Return the number of keys, revoked ones included."""
        return len(self._keys)

    def __iter__(self) -> Iterator[VirtualKey]:
        """Iterate over all keys."""
        return iter(tuple(self._keys.values()))

    def get(self, key_id: str) -> VirtualKey | None:
        """Return the key with this id."""
        return self._keys.get(key_id)

    def has(self, key: VirtualKey) -> bool:
        """Return whether there is a key with the same id or the same secret."""
        return key.id in self._keys or any(entry.digest in self._entries for entry in _entries(key))

    def put(self, key: VirtualKey) -> None:
        """Add a key, or replace the one with the same id."""
        self.drop(key.id)
        self._keys[key.id] = key
        for entry in _entries(key):
            self._entries[entry.digest] = entry

    def drop(self, key_id: str) -> None:
        """Remove a key, if it is there."""
        dropped = self._keys.pop(key_id, None)
        for entry in _entries(dropped) if dropped is not None else ():
            self._entries.pop(entry.digest, None)

    def find(self, digests: Iterable[bytes], now_wall: float) -> Found:
        """
        Find the key whose secret has one of `digests`.

        The work does not depend on the result. The dictionary's timing may leak digests, which reveal nothing about a
        key of 256 random bits.
        """
        found = UNKNOWN
        for digest in digests:
            entry = self._entries.get(digest, _NOBODY)
            same = hmac.compare_digest(entry.digest, digest)
            result = _result(entry, now_wall)
            found = result if same else found
        return found


def new_secret(entropy: Entropy) -> str:
    """Make a secret: `wz-` and 43 characters that encode 256 random bits."""
    return KEY_PREFIX + urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode()


def new_key_id(entropy: Entropy) -> str:
    """Make a random id."""
    return ID_PREFIX + entropy(_ID_BYTES).hex()


def _entries(key: VirtualKey) -> Iterator[_Entry]:
    valid = Found(Standing.VALID, key, _caller_of(key))
    yield _Entry(key.hash.digest, key, valid)
    if key.previous is not None:
        yield _Entry(key.previous.digest, key, valid, key.previous_until)


def _result(entry: _Entry, now_wall: float) -> Found:
    standing = entry.key.standing(now_wall)
    if standing is not Standing.VALID:
        return Found(standing, entry.key)
    if entry.until is not None and now_wall >= entry.until:
        return Found(Standing.EXPIRED, entry.key)
    return entry.valid


def _caller_of(key: VirtualKey) -> Caller:
    return Caller(
        id=key.id,
        tenant=key.id,
        name=key.name,
        team=key.team,
        user=key.user,
        tags=key.tags,
        models=key.models,
        roles=key.roles,
        priority=key.priority,
        limits=key.limits,
        budgets=key.budgets,
    )
