"""An issuer of tokens: its key pairs, what it publishes, and tokens that it signs."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from app.core.errors import TARGET_UNAVAILABLE, GatewayError
from tests.support.virtual_time import EPOCH_S

ISSUER, AUDIENCE = "https://issuer.example", "wizard"
URL = "https://issuer.example/keys"


@cache
def rsa_key(_name: str) -> rsa.RSAPrivateKey:
    """Return a key pair, the same for the same name."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def ec_key() -> ec.EllipticCurvePrivateKey:
    """Return a key pair on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    """Return a key pair on Ed25519."""
    return ed25519.Ed25519PrivateKey.generate()


def published(*names: str, **more: object) -> dict[str, Any]:
    """Return the key set with these keys; `ec` and `ed` are no RSA keys."""
    return {"keys": [{**_public(name), "kid": name, **more} for name in names]}


def _public(name: str) -> dict[str, Any]:
    match name:
        case "ec":
            return dict(ECAlgorithm.to_jwk(ec_key().public_key(), as_dict=True))
        case "ed":
            return dict(OKPAlgorithm.to_jwk(ed_key().public_key(), as_dict=True))
        case _:
            return dict(RSAAlgorithm.to_jwk(rsa_key(name).public_key(), as_dict=True))


def token(by: str = "one", /, *, algorithm: str = "RS256", kid: str | None = "", **claims: object) -> bytes:
    """Sign a token with the key called `by`; a claim of None is left out."""
    given = {"sub": "eve", "iss": ISSUER, "aud": AUDIENCE, "exp": EPOCH_S + 600, **claims}
    key: Any = {"ec": ec_key, "ed": ed_key}.get(by, lambda: rsa_key(by))()
    headers = {} if kid is None else {"kid": kid or by}
    body = {claim: value for claim, value in given.items() if value is not None}
    return jwt.encode(body, key, algorithm, headers=headers).encode()


class Publisher:
    """Where the keys are published. `content` is what is there now (None: out of reach); `asked` counts the fetches."""

    def __init__(self, *names: str) -> None:
        self.content: object = published(*names)
        self.asked = 0
        self.takes_s = 0.0

    async def fetch(self, url: str) -> bytes:
        """Return what is there."""
        assert url == URL
        self.asked += 1
        await asyncio.sleep(self.takes_s)
        if self.content is None:
            raise GatewayError(TARGET_UNAVAILABLE, "out of reach")
        return self.content if isinstance(self.content, bytes) else msgspec.json.encode(self.content)
