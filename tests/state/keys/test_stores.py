"""What every store of virtual keys promises: one suite for the memory and for each server that speaks Redis."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator
from functools import partial

import msgspec
import pytest

from app.core.errors import CONFLICT, NOT_FOUND, GatewayError
from app.core.keys.store import KeyStore
from app.core.keys.virtual_keys import Hasher, Standing, VirtualKey
from app.state.keys.memory import LocalKeys
from tests.state.keys.keeping import shared_keys
from tests.support.redis_server import RedisServer, servers

NOW = 1_700_000_000.0
_numbers = itertools.count()


@pytest.fixture(params=["memory", *servers()])
async def store(request: pytest.FixtureRequest, all_servers: dict[str, RedisServer]) -> AsyncIterator[KeyStore]:
    """Return each adapter in turn."""
    if request.param == "memory":
        yield LocalKeys()
        return
    async with shared_keys(all_servers[request.param].url, f"keys-{next(_numbers)}") as kept:
        yield kept.keys


def a_key(key_id: str = "key_1", secret: bytes = b"wz-1", **fields: object) -> VirtualKey:
    """Return a key."""
    return msgspec.structs.replace(VirtualKey(key_id, key_id, Hasher().stored(secret)), **fields)


def standing(store: KeyStore, secret: bytes, now: float = NOW) -> Standing:
    """Say what becomes of a caller who sends a secret."""
    return store.find(Hasher().digests(secret), now).standing


async def test_a_new_key_is_found(store: KeyStore) -> None:
    """With everything that is known about it."""
    key = a_key(team="red", user="eve", tags=("a",), models=("fast",), created=NOW, expires=NOW + 5)

    before = standing(store, b"wz-1")
    await store.add(key)

    assert before is Standing.UNKNOWN
    assert store.find((hashlib.sha256(b"wz-1").digest(),), NOW).key == key
    assert store.every() == [key]


@pytest.mark.parametrize("twin", [a_key(secret=b"wz-2"), a_key("key_2")], ids=["id", "secret"])
async def test_nothing_is_there_twice(store: KeyStore, twin: VirtualKey) -> None:
    """Neither an id nor a secret, and the first one stays."""
    await store.add(a_key())

    with pytest.raises(GatewayError) as caught:
        await store.add(twin)

    assert caught.value.kind is CONFLICT
    assert store.every() == [a_key()]


async def test_revoking(store: KeyStore) -> None:
    """The key stays in the list, and is refused."""
    await store.add(a_key())

    changed = await store.change("key_1", lambda key: key.revoked_at(NOW))

    assert standing(store, b"wz-1") is Standing.REVOKED
    assert store.every() == [changed] == [a_key(revoked=NOW)]


async def test_rotating(store: KeyStore) -> None:
    """Both secrets are good until the overlap is over."""
    await store.add(a_key())

    await store.change("key_1", lambda key: key.rotated(Hasher().stored(b"wz-2"), NOW, 10.0))

    assert [Standing.VALID, Standing.VALID] == [standing(store, secret) for secret in (b"wz-1", b"wz-2")]
    assert [Standing.EXPIRED, Standing.VALID] == [standing(store, secret, NOW + 10) for secret in (b"wz-1", b"wz-2")]


async def test_a_key_that_is_not_there(store: KeyStore) -> None:
    """It cannot be changed."""
    with pytest.raises(GatewayError) as caught:
        await store.change("key_9", lambda key: key)

    assert caught.value.kind is NOT_FOUND


async def test_a_key_of_the_file_is_revoked_for_good(store: KeyStore) -> None:
    """It is added as revoked, and can be added as that again with another secret."""
    await store.add(a_key("team-a", in_file=True, revoked=NOW))

    await store.change("team-a", lambda _key: a_key("team-a", b"wz-2", in_file=True, revoked=NOW))

    assert [Standing.UNKNOWN, Standing.REVOKED] == [standing(store, secret) for secret in (b"wz-1", b"wz-2")]


async def test_many_at_once(store: KeyStore) -> None:
    """No change gets lost."""
    await store.add(a_key(tags=()))

    def tagged(name: str, key: VirtualKey) -> VirtualKey:
        return msgspec.structs.replace(key, tags=tuple(sorted({*key.tags, name})))

    await asyncio.gather(
        *(store.add(a_key(f"key_n{n}", b"wz-n%d" % n)) for n in range(20)),
        *(store.change("key_1", partial(tagged, name)) for name in "abc"),
    )

    keys = {key.id: key for key in store.every()}
    assert 21 == len(keys)
    assert ("a", "b", "c") == keys["key_1"].tags
