"""What every store of requests promises: in memory, in a file, in Redis."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from app.core.clock import SystemClock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.request_log import RequestEntry, RequestQuery, Step
from app.state.link import StateLostError
from app.state.link.redis import RedisLink
from app.state.request_log.book import WAITING_MAX, RequestBook, RequestStore
from app.state.request_log.memory import MemoryRequests
from app.state.request_log.redis import RedisRequests
from app.state.request_log.sqlite import SqliteRequests
from tests.state.sharing import OPTIONS, until
from tests.support.redis_server import RedisServer, redis_server

MAX_ENTRIES = 300
_prefixes = itertools.count()


def entry(number: int, **changes: object) -> RequestEntry:
    """Return an entry; higher numbers ended later."""
    plain = RequestEntry(
        id=f"req_{number}",
        at=1_795_000_000.0 + number,
        endpoint="chat",
        model="fast",
        stream=False,
        outcome="completed",
        status=200,
        duration_ms=float(number),
        overhead_ms=0.5,
        provider="acme",
        target_model="small",
        key="team-a",
        tags=("a", "b"),
        steps=(Step(0.5, "attempt_ended", {"provider": "acme", "code": ""}),),
    )
    return msgspec.structs.replace(plain, **changes)


def numbers(entries: list[RequestEntry]) -> list[int]:
    """Return the numbers of entries."""
    return [int(found.id.removeprefix("req_")) for found in entries]


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """Run a Redis."""
    with redis_server() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "redis"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RequestStore]:
    """Return each store in turn."""
    if request.param == "redis":
        server: RedisServer = request.getfixturevalue("redis")
        options = msgspec.structs.replace(OPTIONS, key_prefix=f"r{next(_prefixes)}")
        link = RedisLink(server.url, options, lambda: 0.0, lambda _signal: None)
        async with link:
            yield RedisRequests(link, MAX_ENTRIES)
        return
    memory = request.param == "memory"
    found = MemoryRequests(MAX_ENTRIES) if memory else SqliteRequests(str(tmp_path / "requests.db"), MAX_ENTRIES)
    yield found
    await found.aclose()


async def test_the_newest_come_first_and_come_whole(store: RequestStore) -> None:
    """What was kept is what is found, to the last step."""
    kept = [entry(number) for number in range(5)]

    await store.add(kept[:3])
    await store.add(kept[3:])

    assert await store.find(RequestQuery()) == kept[::-1]
    assert await store.find(RequestQuery(limit=2)) == [kept[4], kept[3]]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (RequestQuery(model="slow"), [3]),
        (RequestQuery(provider="box", status=503), [2]),
        (RequestQuery(outcome="failed"), [2]),
        (RequestQuery(code="target_busy", kind="overloaded"), [2]),
        (RequestQuery(key="team-b"), [1]),
        (RequestQuery(team="x", user="y", session="s", cache="hit"), [1]),
        (RequestQuery(trace_id="t" * 32), [0]),
        (RequestQuery(id="req_4"), [4]),
        (RequestQuery(endpoint="messages"), []),
        (RequestQuery(target_model="small", limit=2), [4, 3]),
        (RequestQuery(since=1_795_000_002.0), [4, 3, 2]),
        (RequestQuery(before=1_795_000_002.0), [1, 0]),
        (RequestQuery(min_duration_ms=3.5), [4]),
    ],
)
async def test_entries_can_be_asked_for(store: RequestStore, query: RequestQuery, found: list[int]) -> None:
    """Every filter does the same in every store, and several narrow each other."""
    await store.add(
        [
            entry(0, trace_id="t" * 32),
            entry(1, key="team-b", team="x", user="y", session="s", cache="hit"),
            entry(2, provider="box", status=503, outcome="failed", code="target_busy", kind="overloaded"),
            entry(3, model="slow"),
            entry(4),
        ]
    )

    assert numbers(await store.find(query)) == found


async def test_only_so_many_are_kept(store: RequestStore) -> None:
    """The oldest go; a store may keep a few more than it was told, but shows the newest in any case."""
    for start in range(0, 1000, 50):
        await store.add([entry(number) for number in range(start, start + 50)])

    found = numbers(await store.find(RequestQuery(limit=1000)))

    assert found == list(range(999, 999 - len(found), -1))
    assert MAX_ENTRIES <= len(found) <= MAX_ENTRIES + 200


async def test_pages_follow_each_other(store: RequestStore) -> None:
    """`before` goes on where a page ended."""
    await store.add([entry(number) for number in range(250)])

    first = await store.find(RequestQuery(limit=120))
    second = await store.find(RequestQuery(limit=200, before=first[-1].at))

    assert numbers(first + second) == list(range(249, -1, -1))


async def test_a_search_ends_where_time_does(store: RequestStore) -> None:
    """What lies long before the wanted time is not read to its end."""
    await store.add([entry(number) for number in range(280)])

    assert numbers(await store.find(RequestQuery(since=1_795_000_278.0, model="fast"))) == [279, 278]


async def test_nothing_is_found_in_an_empty_store(store: RequestStore) -> None:
    """A new store answers."""
    assert await store.find(RequestQuery(model="fast")) == []


async def test_names_are_kept_as_they_are(store: RequestStore) -> None:
    """Whatever a model is called."""
    odd = entry(1, model="a'; DROP TABLE requests; --\"ü:ⓔ")

    await store.add([odd])

    assert await store.find(RequestQuery(model=odd.model)) == [odd]


class Away:
    """A store that is out of reach until `back` is set."""

    shared = False

    def __init__(self) -> None:
        self.back = False
        self.kept = MemoryRequests(100)

    async def add(self, entries: list[RequestEntry]) -> None:
        """Keep entries, if it is there."""
        if not self.back:
            raise StateLostError("away")
        await self.kept.add(entries)

    async def find(self, query: RequestQuery) -> list[RequestEntry]:
        """Find entries."""
        return await self.kept.find(query)

    async def aclose(self) -> None:
        """Close nothing."""


async def test_what_a_store_does_not_take_waits() -> None:
    """Entries of the time without a store come later; who asks meanwhile is told."""
    store = Away()
    book = RequestBook(store, SystemClock())  # type: ignore[arg-type] # a list is a sequence
    book.take(entry(1))

    with pytest.raises(GatewayError) as refused:
        await book.find(RequestQuery())
    store.back = True
    book.take(entry(2))
    found = await book.find(RequestQuery())

    assert refused.value.kind is STATE_UNAVAILABLE
    assert numbers(found) == [2, 1]


async def test_what_waits_is_bounded() -> None:
    """Beyond the bound entries are lost and counted; memory is not."""
    book = RequestBook(Away(), SystemClock())  # type: ignore[arg-type] # as above

    for number in range(WAITING_MAX + 3):
        book.take(entry(number))

    assert book.lost == 3


async def test_the_book_writes_by_itself_and_at_the_end() -> None:
    """Nobody has to ask."""
    store = Away()
    store.back = True

    async with RequestBook(store, SystemClock()) as book:  # type: ignore[arg-type] # as above
        book.take(entry(1))
        await until(lambda: _written(store))
        book.take(entry(2))

    assert numbers(await store.find(RequestQuery())) == [2, 1]


async def _written(store: Away) -> bool:
    return numbers(await store.find(RequestQuery())) == [1]


async def test_workers_share_a_file(tmp_path: Path) -> None:
    """Two that write at the same time lose nothing of each other's."""
    path = str(tmp_path / "requests.db")
    one, other = SqliteRequests(path, 100), SqliteRequests(path, 100)

    await one.add([entry(1)])
    await other.add([entry(2)])
    found = numbers(await one.find(RequestQuery()))
    for each in (one, other):
        await each.aclose()

    assert found == [2, 1]


async def test_a_file_that_cannot_be_written_is_a_lost_store(tmp_path: Path) -> None:
    """SQLite's own errors go no further."""
    store = SqliteRequests(str(tmp_path / "no" / "folder.db"), 10)

    with pytest.raises(StateLostError):
        await store.add([entry(1)])
    with pytest.raises(StateLostError):
        await store.find(RequestQuery())


async def test_a_redis_that_is_away_is_a_lost_store() -> None:
    """Nobody waits for a connection."""
    link = RedisLink("redis://127.0.0.1:1/0", OPTIONS, lambda: 0.0, lambda _signal: None)
    store = RedisRequests(link, 10)

    with pytest.raises(StateLostError):
        await store.add([entry(1)])
