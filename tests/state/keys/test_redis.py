"""Keys that replicas share: what one changes the other knows, and what becomes of calls while Redis is gone."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from app.core.errors import CONFLICT, STATE_UNAVAILABLE, GatewayError
from app.core.keys.virtual_keys import Standing
from app.state.keys import redis as module
from app.state.link.redis import BEAT_S, LinkOptions
from tests.state.keys.keeping import Keeper, shared_keys
from tests.state.keys.test_stores import NOW, a_key, standing
from tests.state.sharing import until
from tests.support.redis_server import RedisServer

_numbers = itertools.count()
SLOW = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=60.0)


def a_prefix() -> str:
    """Return a collection of its own."""
    return f"shared-keys-{next(_numbers)}"


async def refusal(keeper: Keeper) -> GatewayError:
    """Return what a change comes to."""
    with pytest.raises(GatewayError) as caught:
        await keeper.keys.change("key_1", lambda key: key.revoked_at(NOW))
    return caught.value


async def test_what_one_changes_the_other_knows(shared_server: RedisServer) -> None:
    """With its next beat, of which there are two a second: a revoked key ends everywhere within one."""
    prefix = a_prefix()
    async with (
        shared_keys(shared_server.url, prefix, link=SLOW) as one,
        shared_keys(shared_server.url, prefix, link=SLOW) as other,
    ):
        await one.keys.add(a_key())
        known = [standing(other.keys, b"wz-1")]
        await other.keys.beat()
        known.append(standing(other.keys, b"wz-1"))
        await one.keys.change("key_1", lambda key: key.revoked_at(NOW))
        await other.keys.beat()
        known.append(standing(other.keys, b"wz-1"))

    assert [Standing.UNKNOWN, Standing.VALID, Standing.REVOKED] == known
    assert BEAT_S <= 0.5


async def test_a_replica_that_starts_later_knows_everything(
    shared_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what takes several pages."""
    monkeypatch.setattr(module, "_PAGE", 7)
    prefix = a_prefix()
    async with shared_keys(shared_server.url, prefix) as one:
        for n in range(30):
            await one.keys.add(a_key(f"key_{n}", b"wz-%d" % n))
        async with shared_keys(shared_server.url, prefix) as other:
            known = other.keys.every()

    assert {f"key_{n}" for n in range(30)} == {key.id for key in known}


async def test_a_change_of_what_is_stale_here(shared_server: RedisServer) -> None:
    """A replica that has not heard of the newest change reads it first, so that both changes count."""
    prefix = a_prefix()
    async with shared_keys(shared_server.url, prefix) as one:
        await one.keys.add(a_key())
        async with shared_keys(shared_server.url, prefix, link=SLOW) as stale:
            await one.keys.change("key_1", lambda key: key.rotated(a_key(secret=b"wz-2").hash, NOW, 10.0))
            changed = await stale.keys.change("key_1", lambda key: key.revoked_at(NOW))
            await one.keys.add(a_key("key_2", b"wz-3"))
            await stale.keys.change("key_2", lambda key: key.revoked_at(NOW))

    assert (a_key(secret=b"wz-2").hash, NOW) == (changed.hash, changed.revoked)


async def test_a_key_that_everybody_changes(shared_server: RedisServer) -> None:
    """After some tries it is refused rather than tried for ever."""
    prefix = a_prefix()
    async with shared_keys(shared_server.url, prefix) as one, shared_keys(shared_server.url, prefix) as other:
        await one.keys.add(a_key())
        await other.keys.beat()
        tries = itertools.count()

        def in_the_way(key: object) -> object:
            next(tries)
            shared_server.do("ZINCRBY", f"{{{prefix}:keys}}:versions", 1_000, "key_1")
            return key

        with pytest.raises(GatewayError) as caught:
            await other.keys.change("key_1", in_the_way)  # type: ignore[arg-type] # it is a key

    assert caught.value.kind is CONFLICT
    assert next(tries) == 5


async def test_there_is_an_end_to_keys(shared_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """What nobody could mean is refused; and keys that are long dead make room."""
    monkeypatch.setattr(module, "KEYS_MAX", 2)
    async with shared_keys(shared_server.url, a_prefix()) as one:
        await one.keys.add(a_key("key_1", b"wz-1", expires=1.0))
        await one.keys.add(a_key("key_2", b"wz-2", in_file=True, revoked=1.0))
        await one.keys.add(a_key("key_3", b"wz-3"))
        with pytest.raises(GatewayError) as caught:
            await one.keys.add(a_key("key_4", b"wz-4"))

    assert caught.value.kind is CONFLICT


async def test_without_redis_the_copy_goes_on(server: RedisServer) -> None:
    """Known keys are good, unknown ones unknown, and nothing can be changed; all of it ends when Redis is back."""
    async with shared_keys(server.url, "a") as one:
        await one.keys.add(a_key())
        server.kill()
        await until(lambda: not one.link.up)
        without = [standing(one.keys, secret) for secret in (b"wz-1", b"wz-2")]
        refused = await refusal(one)
        server.start()
        await until(lambda: one.link.up)
        emptied = standing(one.keys, b"wz-1")

    assert [Standing.VALID, Standing.UNKNOWN] == without
    assert refused.kind is STATE_UNAVAILABLE
    assert emptied is Standing.UNKNOWN


async def test_without_redis_closed(server: RedisServer) -> None:
    """Nobody can tell, of no key."""
    async with shared_keys(server.url, "a", "closed") as one:
        await one.keys.add(a_key())
        server.kill()
        await until(lambda: not one.link.up)

        assert [Standing.UNDECIDED] * 2 == [standing(one.keys, secret) for secret in (b"wz-1", b"wz-2")]


async def test_started_without_redis(server: RedisServer) -> None:
    """Nobody can tell until Redis is there."""
    async with shared_keys(server.url, "a") as one:
        await one.keys.add(a_key())
    server.freeze()
    async with shared_keys(server.url, "a", link=LinkOptions(0.2, 0.2, 0.02)) as other:
        before = standing(other.keys, b"wz-1")
        server.thaw()
        await until(lambda: standing(other.keys, b"wz-1") is Standing.VALID)

    assert before is Standing.UNDECIDED


async def test_another_collection_replaces_the_copy_at_once(shared_server: RedisServer) -> None:
    """While it is read nobody sees half of it."""
    prefix = a_prefix()
    async with shared_keys(shared_server.url, prefix) as one:
        await one.keys.add(a_key())
        await one.keys.add(a_key("key_2", b"wz-2"))
        shared_server.do("HSET", f"{{{prefix}:keys}}:state", "epoch", "another")
        seen = set()

        async def watch() -> None:
            for _ in range(200):
                seen.add(tuple(standing(one.keys, secret) for secret in (b"wz-1", b"wz-2")))
                await asyncio.sleep(0)

        await asyncio.gather(one.keys.beat(), watch())

    assert {(Standing.VALID, Standing.VALID)} == seen


async def test_redis_that_goes_in_the_middle_of_a_change(server: RedisServer) -> None:
    """The change is refused as one of which nobody knows whether it counts."""
    async with shared_keys(server.url, "a", link=LinkOptions(0.2, 0.2, 60.0)) as one:
        await one.keys.add(a_key())
        server.freeze()
        refused = await refusal(one)
        server.thaw()

    assert refused.kind is STATE_UNAVAILABLE
