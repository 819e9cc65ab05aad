"""What every store of usage promises: in memory, in a file, in Redis."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from app.core.spending.ledger import UsageKey, UsageRow
from app.state.link import StateLostError
from app.state.link.redis import RedisLink
from app.state.usage.book import UsageStore
from app.state.usage.memory import MemoryUsage
from app.state.usage.redis import RedisUsage
from app.state.usage.sqlite import SqliteUsage
from tests.state.sharing import OPTIONS
from tests.support.redis_server import RedisServer, redis_server

_prefixes = itertools.count()
ROW = UsageRow(attempts=1, prompt_tokens=9, completion_tokens=4, cost_nusd=10**15)


def about(day: str, key: str = "k", model: str = "small") -> UsageKey:
    """Return what a row is about."""
    return UsageKey(day, key, "", "fast", "acme", model)


@pytest.fixture(scope="module")
def redis() -> AsyncIterator[RedisServer]:  # type: ignore[misc]  # a plain generator
    """Run a Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[UsageStore]:
    """Return each store in turn."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        options = msgspec.structs.replace(OPTIONS, key_prefix=f"p{next(_prefixes)}")
        link = RedisLink(server.url, options, lambda: 0.0, lambda _signal: None)
        kept = RedisUsage(link, 400)
        async with link:
            yield kept
        return
    found: UsageStore = MemoryUsage() if request.param == "memory" else SqliteUsage(str(tmp_path / "usage.db"))
    yield found
    await found.aclose()


async def test_sums_grow(store: UsageStore) -> None:
    """What is given again is added, exactly, also in amounts of a million dollars."""
    await store.add("1", {about("2026-11-25"): ROW, about("2026-11-26"): ROW})
    await store.add("2", {about("2026-11-26"): ROW, about("2026-11-26", "other"): ROW})

    found = dict(await store.read("2026-11-01", "2026-11-30"))

    assert found == {
        about("2026-11-25"): ROW,
        about("2026-11-26"): ROW.plus(ROW),
        about("2026-11-26", "other"): ROW,
    }


async def test_days_are_chosen(store: UsageStore) -> None:
    """Both ends belong to what is read."""
    await store.add("1", {about(f"2026-11-2{n}"): ROW for n in range(10)})

    found = sorted(key.day for key, _ in await store.read("2026-11-23", "2026-11-25"))

    assert found == ["2026-11-23", "2026-11-24", "2026-11-25"]


async def test_names_are_kept_as_they_are(store: UsageStore) -> None:
    """Whatever a model is called."""
    odd = about("2026-11-26", model="a|b\"c'd/ü:ⓔ")

    await store.add("1", {odd: ROW})

    assert [key for key, _ in await store.read("2026-11-26", "2026-11-26")] == [odd]


async def test_nothing_is_nothing(store: UsageStore) -> None:
    """An empty store has no rows, and an empty batch adds none."""
    await store.add("1", {})

    assert await store.read("2026-01-01", "2026-12-31") == []


@pytest.mark.parametrize("store", ["memory", "sqlite"], indirect=True)
async def test_old_days_are_forgotten(store: UsageStore) -> None:
    """Those before the first that is wanted."""
    await store.add("1", {about(f"2026-11-2{n}"): ROW for n in range(5)})

    await store.prune("2026-11-23")

    assert sorted(key.day for key, _ in await store.read("2026-11-01", "2026-11-30")) == ["2026-11-23", "2026-11-24"]


@pytest.mark.parametrize("store", ["redis"], indirect=True)
async def test_a_batch_counts_once_in_redis(store: UsageStore) -> None:
    """A writer who does not know whether it was heard may say the same again."""
    for _ in range(3):
        await store.add("same", {about("2026-11-26"): ROW})

    assert await store.read("2026-11-26", "2026-11-26") == [(about("2026-11-26"), ROW)]


async def test_workers_share_a_file(tmp_path: Path) -> None:
    """Sums of several connections are added up."""
    one, other = SqliteUsage(str(tmp_path / "usage.db")), SqliteUsage(str(tmp_path / "usage.db"))

    for store in (one, other, one):
        await store.add("1", {about("2026-11-26"): ROW})
    found = await other.read("2026-11-26", "2026-11-26")
    await one.aclose()
    await other.aclose()

    assert found == [(about("2026-11-26"), ROW.plus(ROW).plus(ROW))]


async def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    """Every use says so, and a later one tries again."""
    store = SqliteUsage(str(tmp_path / "missing" / "usage.db"))
    for use in (store.add("1", {about("2026-11-26"): ROW}), store.read("2026-11-26", "2026-11-26"), store.prune("x")):
        with pytest.raises(StateLostError):
            await use
    (tmp_path / "missing").mkdir()

    await store.add("1", {about("2026-11-26"): ROW})

    assert len(await store.read("2026-11-26", "2026-11-26")) == 1
    await store.aclose()


async def test_a_redis_that_is_away() -> None:
    """Rows are refused, so that the book keeps them."""
    link = RedisLink("redis://127.0.0.1:1", OPTIONS, lambda: 0.0, lambda _signal: None)
    store = RedisUsage(link, 400)
    async with link:
        for use in (store.add("1", {about("2026-11-26"): ROW}), store.read("2026-11-26", "2026-11-26")):
            with pytest.raises(StateLostError):
                await use
        await store.prune("2026-11-26")
        await store.aclose()
