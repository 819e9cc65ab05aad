"""Who presents what: keys of the configuration and of the store, tokens, and those whom nobody knows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec
import pytest

from app.core.errors import STATE_UNAVAILABLE, UNAUTHORIZED, GatewayError
from app.core.identity import ANONYMOUS, Caller, Credential
from app.core.keys.directory import Directory, Sources
from app.core.keys.virtual_keys import UNDECIDED, Found, Hasher, KeyTable, Standing, VirtualKey
from app.core.signals import CredentialRefused, Signal
from app.core.traffic.admission import Priority
from app.state.keys.memory import LocalKeys
from tests.support.virtual_time import EPOCH_S, VirtualClock

TOKEN = b"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"
SUBJECT = Caller("jwt_1", "jwt_1")
UNKNOWN_TOKEN = Found(Standing.UNKNOWN)


def a_key(key_id: str, secret: bytes, **fields: object) -> VirtualKey:
    """Return a key."""
    return msgspec.structs.replace(VirtualKey(key_id, key_id, Hasher().stored(secret)), **fields)


class OneToken:
    """Knows one token, and what it is worth."""

    def __init__(self, verdict: Found) -> None:
        self._verdict = verdict
        self.asked: list[bytes] = []

    async def read(self, token: bytes) -> Found:
        """Answer for it."""
        self.asked.append(token)
        return self._verdict


class Unreachable(LocalKeys):
    """A store that cannot tell."""

    def find(self, digests: Iterable[bytes], now_wall: float) -> Found:  # noqa: ARG002 - the port's
        """Say so."""
        return UNDECIDED


class Hall:
    """A directory with `file` in its configuration, and a store. `told` lists the signals."""

    def __init__(self, clock: VirtualClock, store: LocalKeys | None = None, tokens: OneToken | None = None) -> None:
        self.told: list[Signal] = []
        self.store = store or LocalKeys()
        self._listed = KeyTable([a_key("file", b"wz-file"), a_key("over", b"wz-over", expires=EPOCH_S)])
        self._sources = Sources(self._listed, self.store, Hasher(), tokens)
        self._clock = clock

    async def who(self, token: bytes | None, *, required: bool = True) -> Caller:
        """Return who presents a token."""
        directory = Directory(self._sources, self._clock, self.told.append, required=required)
        return await directory.identify(None if token is None else Credential(token), "req_1")

    async def refusal(self, token: bytes | None, *, required: bool = True) -> GatewayError:
        """Return why nobody is let in with it."""
        with pytest.raises(GatewayError) as caught:
            await self.who(token, required=required)
        return caught.value


async def test_a_key_stands_for_its_caller(clock: VirtualClock) -> None:
    """With everything that is known about the key, whether a key is required or not."""
    hall = Hall(clock)
    fields = {
        "team": "red",
        "user": "eve",
        "tags": ("a",),
        "models": ("fast",),
        "roles": ("user",),
        "priority": Priority.LOW,
    }
    await hall.store.add(a_key("key_1", b"wz-1", name="one", **fields))

    callers = [await hall.who(b"wz-1", required=required) for required in (True, False)]

    assert callers == [Caller("key_1", "key_1", "one", "red", "eve", ("a",), ("fast",), ("user",), Priority.LOW)] * 2
    assert (await hall.who(b"wz-file")).id == "file"
    assert not hall.told


@pytest.mark.parametrize(
    ("token", "reason", "key_id"),
    [(None, "missing", ""), (b"", "unknown", ""), (b"\xff\x00", "unknown", ""), (b"wz-no", "unknown", "")],
)
async def test_who_is_nobody_is_refused(clock: VirtualClock, token: bytes | None, reason: str, key_id: str) -> None:
    """Where a key is required; the reason is reported, and not told."""
    hall = Hall(clock)

    error = await hall.refusal(token)

    assert error.kind is UNAUTHORIZED
    assert hall.told == [CredentialRefused("req_1", reason, key_id)]


@pytest.mark.parametrize("required", [True, False])
async def test_a_key_that_is_over_is_refused(clock: VirtualClock, required: bool) -> None:
    """Also where none is required: it says that somebody was someone. The words are those for an unknown key."""
    hall = Hall(clock)
    await hall.store.add(a_key("key_1", b"wz-1", revoked=EPOCH_S))
    unknown = await hall.refusal(b"wz-no")

    errors = [await hall.refusal(token, required=required) for token in (b"wz-1", b"wz-over")]

    assert [(error.kind, error.message) for error in errors] == [(UNAUTHORIZED, unknown.message)] * 2
    assert hall.told[1:] == [
        CredentialRefused("req_1", "revoked", "key_1"),
        CredentialRefused("req_1", "expired", "over"),
    ]


async def test_a_key_of_the_file_can_be_revoked_since(clock: VirtualClock) -> None:
    """What the store says of a revoked secret counts more than the file; one with another secret does not."""
    hall = Hall(clock)
    await hall.store.add(a_key("file", b"wz-before", in_file=True, revoked=EPOCH_S))
    still = await hall.who(b"wz-file")
    await hall.store.change("file", lambda _key: a_key("file", b"wz-file", in_file=True, revoked=EPOCH_S))

    assert still.id == "file"
    assert (await hall.refusal(b"wz-file")).kind is UNAUTHORIZED


async def test_without_a_need_for_keys_strangers_are_told_apart(clock: VirtualClock) -> None:
    """By what they send; nobody in particular all the same."""
    hall = Hall(clock)

    one, other, again = [await hall.who(token, required=False) for token in (b"sk-1", b"sk-2", b"sk-1")]
    silent = await hall.who(None, required=False)

    assert one == again != other
    assert one.tenant == f"open-{hashlib.sha256(b'sk-1').hexdigest()[:16]}"
    assert silent is ANONYMOUS
    assert [False] * 3 == [caller.known for caller in (one, other, silent)]
    assert (await hall.who(b"wz-file", required=False)).known


async def test_a_store_that_cannot_tell(clock: VirtualClock) -> None:
    """Keys of the file go on; for others that is a 503 where one is required, else a stranger."""
    hall = Hall(clock, Unreachable())

    error = await hall.refusal(b"wz-1")

    assert (error.kind, error.retry_after_s) == (STATE_UNAVAILABLE, 1.0)
    assert (await hall.who(b"wz-file")).id == "file"
    assert not (await hall.who(b"wz-1", required=False)).known
    assert not hall.told


@pytest.mark.parametrize(
    ("token", "asked"),
    [(TOKEN, True), (b"wz-1", False), (b"eyJ", False), (b"eyJ.a.b.c", False), (b"wz-file", False), (b"a.b.c", False)],
)
async def test_what_looks_like_a_token_is_read(clock: VirtualClock, token: bytes, asked: bool) -> None:
    """Three parts, of which the first is JSON in base64."""
    tokens = OneToken(UNKNOWN_TOKEN)
    hall = Hall(clock, tokens=tokens)

    await hall.who(token, required=False)

    assert tokens.asked == ([token] if asked else [])


async def test_a_good_token_stands_for_its_subject(clock: VirtualClock) -> None:
    """Also where the store cannot tell about keys: a token is none."""
    hall = Hall(clock, Unreachable(), OneToken(Found(Standing.VALID, caller=SUBJECT)))

    assert await hall.who(TOKEN) is SUBJECT


@pytest.mark.parametrize(
    ("standing", "kind"),
    [(Standing.UNKNOWN, UNAUTHORIZED), (Standing.EXPIRED, UNAUTHORIZED), (Standing.UNDECIDED, STATE_UNAVAILABLE)],
)
async def test_a_bad_token_is_refused(clock: VirtualClock, standing: Standing, kind: object) -> None:
    """As a key would be; one that has expired says that somebody was someone."""
    hall = Hall(clock, tokens=OneToken(Found(standing)))

    assert (await hall.refusal(TOKEN)).kind is kind
    if standing is Standing.EXPIRED:
        assert (await hall.refusal(TOKEN, required=False)).kind is kind
    else:
        assert not (await hall.who(TOKEN, required=False)).known


def test_a_credential_hides_itself() -> None:
    """Whoever prints a call by mistake prints no key."""
    assert repr(Credential(b"wz-secret")) == "Credential(...)"
