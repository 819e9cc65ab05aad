"""
Verify signed tokens (JWT), used in place of virtual keys, with the published keys of their issuer.

Only the configured algorithms are accepted, all asymmetric, so a token cannot choose how it is checked. The result for
a valid token is cached by the digest of the whole token, until it expires or the keys change.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, TypeGuard

import jwt
import msgspec
from cachetools import LRUCache

from app.core.clock import Clock
from app.core.identity import Caller
from app.core.keys.virtual_keys import UNDECIDED, UNKNOWN, Found, Standing
from app.identity.key_set import KeySet

ID_PREFIX: Final = "jwt_"
TOKEN_MAX_BYTES: Final = 16_384
_CACHED_MAX = 10_000
_WORDS_MAX, _WORD_MAX_CHARS = 64, 256
_ID_BYTES = 12
_EXPIRED: Final = Found(Standing.EXPIRED)


class ClaimNames(msgspec.Struct, frozen=True):
    """The claim for each property of a caller; None: no claim."""

    id: str = "sub"
    name: str | None = None
    team: str | None = None
    user: str | None = None
    tags: str | None = None
    models: str | None = None


class TokenOptions(msgspec.Struct, frozen=True):
    """
    Which tokens are valid: those of `issuer`, for one of `audience`, signed with one of `algorithms`.

    `models` are allowed for tokens without a claim about models; None allows all. `refresh_s` is the age at which keys
    are fetched again, `leeway_s` the clock skew that is tolerated.
    """

    issuer: str
    audience: tuple[str, ...]
    algorithms: tuple[str, ...]
    claims: ClaimNames
    models: tuple[str, ...] | None
    refresh_s: float
    leeway_s: float


class _CachedVerdict(msgspec.Struct, frozen=True):
    verdict: Found
    until_wall: float
    generation: int


class JwtTokens:
    """The `Tokens` of one issuer."""

    def __init__(self, options: TokenOptions, keys: KeySet, clock: Clock) -> None:
        self._options = options
        self._keys = keys
        self._clock = clock
        self._cache: LRUCache[bytes, _CachedVerdict] = LRUCache(_CACHED_MAX)

    async def read(self, token: bytes) -> Found:
        """Verify a token, or return its cached verdict."""
        self._keys.renew(self._options.refresh_s)
        if len(token) > TOKEN_MAX_BYTES:
            return UNKNOWN
        digest, now_wall = hashlib.sha256(token).digest(), self._clock.wall()
        known = self._cache.get(digest)
        if known is not None and known.generation == self._keys.generation:
            return known.verdict if now_wall < known.until_wall else _EXPIRED
        try:
            claims = await self._claims(token)
        except jwt.PyJWTError:
            return UNKNOWN
        if claims is None:
            return UNKNOWN if self._keys.known else UNDECIDED
        verdict, until_wall = self._judged(claims, now_wall)
        if verdict.caller is not None:
            self._cache[digest] = _CachedVerdict(verdict, until_wall, self._keys.generation)
        return verdict

    async def _claims(self, token: bytes) -> Mapping[str, Any] | None:
        """Return the claims of a token with a valid signature; None if its key is unknown."""
        header = jwt.get_unverified_header(token)
        algorithm, name = header.get("alg"), header.get("kid")
        if algorithm not in self._options.algorithms:
            raise jwt.InvalidAlgorithmError
        key = self._keys.find(name, algorithm)
        if key is None:
            await self._keys.look_again()
            key = self._keys.find(name, algorithm)
        if key is None:
            return None
        return jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            audience=self._options.audience,
            issuer=self._options.issuer,
            options={  # times are checked in `_judged`, with the injected clock
                "require": ["exp", "iss", "aud"],
                "verify_exp": False,
                "verify_nbf": False,
                "verify_iat": False,
            },
        )

    def _judged(self, claims: Mapping[str, Any], now_wall: float) -> tuple[Found, float]:
        """Return the verdict for the claims of a token, and until when (Unix time) it holds."""
        expires, begins, leeway_s = claims.get("exp"), claims.get("nbf", 0), self._options.leeway_s
        caller = self._caller(claims)
        if caller is None or not _is_time(expires) or not _is_time(begins) or now_wall + leeway_s < begins:
            return UNKNOWN, 0.0
        until_wall = expires + leeway_s
        return (Found(Standing.VALID, caller=caller) if now_wall < until_wall else _EXPIRED), until_wall

    def _caller(self, claims: Mapping[str, Any]) -> Caller | None:
        names, subject = self._options.claims, claims.get(self._options.claims.id)
        if not isinstance(subject, str) or not subject:
            return None
        models = self._options.models
        if names.models is not None and names.models in claims:
            models = _words(claims[names.models])
        digest = hashlib.sha256(f"{self._options.issuer}\0{subject}".encode()).digest()
        caller_id = ID_PREFIX + digest[:_ID_BYTES].hex()
        return Caller(
            id=caller_id,
            tenant=caller_id,
            name=_text(claims, names.name) or subject[:_WORD_MAX_CHARS],
            team=_text(claims, names.team),
            user=_text(claims, names.user),
            tags=_words(claims.get(names.tags)) if names.tags is not None else (),
            models=models,
        )


def _is_time(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(claims: Mapping[str, Any], name: str | None) -> str | None:
    value = claims.get(name) if name is not None else None
    return value[:_WORD_MAX_CHARS] if isinstance(value, str) and value else None


def _words(value: object) -> tuple[str, ...]:
    """Read a claim that is a list, or words separated by spaces, as in OAuth; anything else counts as empty."""
    words = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
    return tuple(word for word in words[:_WORDS_MAX] if isinstance(word, str) and len(word) <= _WORD_MAX_CHARS)
