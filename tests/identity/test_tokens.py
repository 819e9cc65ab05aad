"""Signed tokens: which are good, whom they stand for, and for how long."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import jwt
import msgspec
import pytest

from app.core.identity import Caller
from app.core.keys.virtual_keys import Found, Standing
from app.core.signals import Signal, TokenKeysChanged
from app.identity.key_set import PATIENCE_S, PAUSE_S, KeySet
from app.identity.tokens import TOKEN_MAX_BYTES, ClaimNames, JwtTokens, TokenOptions
from tests.identity.issuing import AUDIENCE, ISSUER, URL, Publisher, published, rsa_key, token
from tests.support.virtual_time import EPOCH_S, VirtualClock

OPTIONS = TokenOptions(
    issuer=ISSUER,
    audience=(AUDIENCE, "other"),
    algorithms=("RS256", "PS256", "ES256", "EdDSA"),
    claims=ClaimNames(name="name", team="team", user="email", tags="tags", models="models"),
    models=("fast",),
    refresh_s=600.0,
    leeway_s=30.0,
)
EVE = f"jwt_{hashlib.sha256(f'{ISSUER}'.encode() + bytes(1) + b'eve').digest()[:12].hex()}"


class Gate:
    """Tokens of one issuer. `told` lists the signals."""

    def __init__(self, clock: VirtualClock) -> None:
        self.told: list[Signal] = []
        self.publisher = Publisher("one", "ec", "ed")
        self.keys = KeySet(URL, self.publisher.fetch, clock, self.told.append)
        self.clock = clock
        self.tokens = self.reader()

    def reader(self, **options: Any) -> JwtTokens:  # noqa: ANN401 - whatever the fields hold
        """Return who reads tokens by other options."""
        return JwtTokens(msgspec.structs.replace(OPTIONS, **options), self.keys, self.clock)

    async def standing(self, given: bytes) -> Standing:
        """Say what a token is worth."""
        return (await self.tokens.read(given)).standing

    async def caller(self, **claims: object) -> Caller | None:
        """Return for whom a token with these claims stands."""
        return (await self.tokens.read(token(**claims))).caller  # type: ignore[arg-type] # claims, and no others


@pytest.fixture
async def gate(clock: VirtualClock) -> AsyncIterator[Gate]:
    """Return a gate, and let go of what it fetches."""
    found = Gate(clock)
    yield found
    await found.keys.aclose()


@pytest.mark.parametrize(
    "given",
    [
        token(),
        token(algorithm="PS256"),
        token("ec", algorithm="ES256"),
        token("ed", algorithm="EdDSA"),
        token("ec", algorithm="ES256", kid=None),
        token(aud=["nobody", "other"]),
        token(exp=EPOCH_S - 29),
        token(nbf=EPOCH_S + 30),
        token(iat=EPOCH_S + 1000),
    ],
)
async def test_good_tokens(gate: Gate, given: bytes) -> None:
    """Each algorithm, with and without a name for the key, and with clocks that differ a little."""
    verdict = await gate.tokens.read(given)

    assert (verdict.standing, verdict.caller and verdict.caller.id) == (Standing.VALID, EVE)


def forged(header: dict[str, object], signature: bytes = b"") -> bytes:
    """Return a token with a header of one's own."""
    body = {"sub": "eve", "iss": ISSUER, "aud": AUDIENCE, "exp": EPOCH_S + 600}
    parts = [msgspec.json.encode(header), msgspec.json.encode(body), signature]
    return b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)


PUBLIC_PEM = msgspec.json.encode(published("one")["keys"][0])


@pytest.mark.parametrize(
    "given",
    [
        token("two", kid="one"),
        token(iss="https://evil.example"),
        token(aud="nobody"),
        token(exp=None),
        token(aud=None),
        token(iss=None),
        token(sub=None),
        token(sub=""),
        token(sub=7),
        token(exp="soon"),
        token(nbf="soon"),
        token(nbf=EPOCH_S + 31),
        token()[:-2] + b"AA",
        forged({"alg": "none", "kid": "one"}),
        forged({"alg": "HS256", "kid": "one"}, PUBLIC_PEM),
        forged({"alg": 7, "kid": "one"}),
        forged({"alg": "RS256", "kid": 7}),
        forged({}),
        b"eyJ.e30.",
        b"eyJhbGciOiJSUzI1NiJ9.\xff.\xff",
        b"eyJ" + b"a" * TOKEN_MAX_BYTES + b"..",
        jwt.encode({"sub": "eve"}, "a secret of more than thirty-two bytes", "HS256").encode(),
    ],
)
async def test_bad_tokens(gate: Gate, given: bytes) -> None:
    """Another key, issuer, audience or algorithm, claims that lack or make no sense, and what is no token."""
    assert await gate.tokens.read(given) == Found(Standing.UNKNOWN)


async def test_a_token_ends(gate: Gate, clock: VirtualClock) -> None:
    """When its time is over, also if it was good before; one that comes too late is told from one that is wrong."""
    given = token(exp=EPOCH_S + 60)

    before = await gate.standing(given)
    await clock.sleep(90.0)
    after = await gate.standing(given)

    assert (before, after) == (Standing.VALID, Standing.EXPIRED)
    assert await gate.standing(token(exp=EPOCH_S + 59)) is Standing.EXPIRED


async def test_whom_a_token_stands_for(gate: Gate) -> None:
    """What its claims say, where they are of the right form; its subject keeps the same id for ever."""
    claims = {"name": "Eve", "team": "red", "email": "eve@example.com", "tags": "a b", "models": ["fast", "openai/*"]}

    caller = await gate.caller(**claims)
    bare = await gate.caller()
    odd = await gate.caller(name=7, team="", email=None, tags={"a": 1}, models=[7, "x", "y" * 300])

    assert caller == Caller(EVE, EVE, "Eve", "red", "eve@example.com", ("a", "b"), ("fast", "openai/*"))
    assert bare == Caller(EVE, EVE, "eve", models=("fast",))
    assert odd == Caller(EVE, EVE, "eve", models=("x",))
    assert (await gate.caller(sub="mallory") or bare).id != EVE


async def test_claims_are_read_only_if_named(gate: Gate) -> None:
    """By default a token says who it is for, and nothing else."""
    reader = gate.reader(claims=ClaimNames(), models=None)

    verdict = await reader.read(token(name="Eve", team="red", tags=["a"], models=["x"]))

    assert verdict.caller == Caller(EVE, EVE, "eve")


async def test_a_known_token_is_not_checked_again(gate: Gate, clock: VirtualClock) -> None:
    """Until the keys change: then a token of a key that is gone is worth nothing."""
    given = token()
    first = (await gate.tokens.read(given)).caller
    again = (await gate.tokens.read(given)).caller

    gate.publisher.content = published("two")
    await clock.sleep(600.0)
    await gate.standing(given)  # finds that the keys are old, and has them fetched in the background
    await clock.sleep(1.0)

    assert again is first
    assert await gate.standing(given) is Standing.UNKNOWN
    assert gate.told == [TokenKeysChanged(3), TokenKeysChanged(1)]


async def test_a_key_that_is_new(gate: Gate, clock: VirtualClock) -> None:
    """A token that names a key which nobody has heard of is looked up, not oftener than the pause allows."""
    await gate.standing(token())
    gate.publisher.content = published("one", "two")
    at_once = await gate.standing(token("two"))
    asked = gate.publisher.asked
    await clock.sleep(PAUSE_S)
    later = await gate.standing(token("two"))

    assert (at_once, asked) == (Standing.UNKNOWN, 1)
    assert (later, gate.publisher.asked) == (Standing.VALID, 2)


async def test_an_issuer_that_cannot_be_reached(gate: Gate, clock: VirtualClock) -> None:
    """While nothing is known nobody can tell; what was known once goes on being used."""
    gate.publisher.content = None
    unknown = await gate.standing(token())
    gate.publisher.content = published("one")
    await clock.sleep(PAUSE_S)
    known = await gate.standing(token())
    gate.publisher.content = None
    await clock.sleep(500.0)
    old = await gate.standing(token())
    gate.publisher.content = b"<html>"
    await clock.sleep(110.0)
    await gate.standing(token())
    await clock.sleep(1.0)
    still = await gate.standing(token(exp=EPOCH_S + 2000))

    assert [unknown, known, old, still] == [Standing.UNDECIDED, Standing.VALID, Standing.VALID, Standing.VALID]
    assert gate.told == [
        TokenKeysChanged(0, "target_unavailable"),
        TokenKeysChanged(1),
        TokenKeysChanged(1, "no_key_set"),
    ]


async def test_no_call_waits_long_for_keys(gate: Gate, clock: VirtualClock) -> None:
    """After a moment nobody can tell; the fetch goes on, and later calls have what it brings."""
    gate.publisher.takes_s = 4.0
    began = clock.now()

    first = await gate.standing(token())
    waited_s = clock.now() - began
    await clock.sleep(4.0)

    assert (first, waited_s) == (Standing.UNDECIDED, PATIENCE_S)
    assert (await gate.standing(token()), gate.publisher.asked) == (Standing.VALID, 1)


@pytest.mark.parametrize(
    ("content", "standing"),
    [
        (published("one", use="enc"), Standing.UNKNOWN),
        (published("one", alg="RS512"), Standing.UNKNOWN),
        (published("one", alg="RS256", use="sig"), Standing.VALID),
        ({"keys": [{"kty": "RSA", "kid": "one"}, {"kty": "oct", "k": "AA"}, {}]}, Standing.UNKNOWN),
        ({"keys": published("one")["keys"] * 2}, Standing.UNKNOWN),
    ],
    ids=["for encryption", "for another algorithm", "for this", "nonsense", "twice"],
)
async def test_what_may_stand_in_a_key_set(gate: Gate, content: object, standing: Standing) -> None:
    """Only what can check a signature is used, and only if it is clear which key is meant."""
    gate.publisher.content = content

    assert await gate.standing(token()) is standing


async def test_a_reload_forgets_no_keys(gate: Gate) -> None:
    """Nothing is fetched for a second reader of the same key set."""
    await gate.standing(token())

    verdict = await gate.reader(audience=(AUDIENCE,)).read(token())

    assert (verdict.standing, gate.publisher.asked) == (Standing.VALID, 1)


def test_the_issuer_of_these_tests_has_keys() -> None:
    """Names stand for pairs of their own."""
    assert rsa_key("one") is rsa_key("one")
    assert rsa_key("one") is not rsa_key("two")
