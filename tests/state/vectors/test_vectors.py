"""The index of vectors, in memory and in the vector sets of every server that has them."""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.caching.semantic import VectorIndex
from app.state.answers.caching import Caching
from app.state.link.redis import LinkOptions, RedisLink
from app.state.vectors.memory import MemoryVectors
from app.state.vectors.redis import SharedVectors, VectorSets
from tests.state.sharing import until
from tests.support.redis_server import RedisServer, redis_with

KEPT_S = 60.0
LINK = LinkOptions(timeout_s=2.0, connect_s=5.0, beat_s=0.02)

numbers = st.floats(-10, 10, width=32)
vectors = st.lists(numbers, min_size=3, max_size=3).filter(lambda vector: math.hypot(*vector) > 0.01)
_prefixes = (f"vectors-{n}" for n in itertools.count())


@pytest.fixture(scope="module")
def redis_8() -> Iterator[RedisServer]:
    """Run a server that has vector sets."""
    with redis_with(vector_sets=True) as server:
        yield server


@asynccontextmanager
async def linked(server: RedisServer, prefix: str = "") -> AsyncIterator[VectorSets]:
    """Connect with a server; without a prefix to keys that nobody else has."""
    options = msgspec.structs.replace(LINK, key_prefix=prefix or next(_prefixes))
    link = RedisLink(server.url, options, lambda: 0.0, lambda _signal: None)
    sets = VectorSets(link)
    async with link:
        yield sets


Indexes = Callable[..., VectorIndex]


@pytest.fixture(params=["memory", "redis"])
async def indexes(request: pytest.FixtureRequest) -> AsyncIterator[Indexes]:
    """Return what makes indexes, each of so many vectors."""
    if request.param == "memory":
        yield MemoryVectors
        return
    async with linked(request.getfixturevalue("redis_8")) as sets:
        yield lambda most, model="m": SharedVectors(sets, model, most, MemoryVectors(0))


def cosine(one: list[float], other: list[float]) -> float:
    """Return how similar two vectors are."""
    return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))


async def nearest(index: VectorIndex, space: str, vector: list[float]) -> str | None:
    """Return the key of the most similar question."""
    near = await index.nearest(space, vector)
    return None if near is None else near.key


async def check_nearest(index: VectorIndex, known: list[list[float]], asked: list[float]) -> None:
    """Add vectors, and find the one with the largest cosine."""
    for n, vector in enumerate(known):
        index.add("s", str(n), vector, KEPT_S)

    near = await index.nearest("s", asked)

    best = max(cosine(vector, asked) for vector in known)
    assert near is not None
    assert near.similarity == pytest.approx(best, abs=1e-4)
    assert cosine(known[int(near.key)], asked) == pytest.approx(best, abs=1e-4)


@given(st.lists(vectors, min_size=1, max_size=30), vectors)
def test_the_nearest_is_the_most_similar(known: list[list[float]], asked: list[float]) -> None:
    """Of any number of vectors the one with the largest cosine is found, with that cosine."""
    asyncio.run(check_nearest(MemoryVectors(100), known, asked))


def test_the_nearest_in_redis_is_the_most_similar(redis_8: RedisServer) -> None:
    """The same of a vector set."""
    with asyncio.Runner() as runner:
        opened = linked(redis_8)
        sets = runner.run(opened.__aenter__())

        @given(st.lists(vectors, min_size=1, max_size=30), vectors)
        def check(known: list[list[float]], asked: list[float]) -> None:
            index = SharedVectors(sets, next(_prefixes), 10_000, MemoryVectors(0))
            runner.run(check_nearest(index, known, asked))

        try:
            check()
        finally:
            runner.run(opened.__aexit__(None, None, None))


async def test_spaces_are_apart(indexes: Indexes) -> None:
    """A question in another midst is never found, and an empty space has nothing."""
    index = indexes(100)
    index.add("a", "k", [1.0, 0.0], KEPT_S)

    assert await nearest(index, "b", [1.0, 0.0]) is None
    assert await nearest(index, "a", [1.0, 0.0]) == "k"


async def test_a_question_can_be_replaced_and_forgotten(indexes: Indexes) -> None:
    """Its last vector counts; what is forgotten is not found, and what was never there does no harm."""
    index = indexes(100)
    for key, vector in (("x", [1.0, 0.0]), ("y", [0.0, 1.0]), ("x", [0.0, -1.0])):
        index.add("s", key, vector, KEPT_S)

    replaced = await nearest(index, "s", [0.0, -1.0])
    index.forget("s", "x")
    index.forget("s", "nobody")
    index.forget("nowhere", "x")
    left = await nearest(index, "s", [0.0, -1.0])
    index.forget("s", "y")

    assert (replaced, left) == ("x", "y")
    assert await nearest(index, "s", [0.0, -1.0]) is None


async def test_there_are_never_more_than_may_be(indexes: Indexes) -> None:
    """The oldest questions go first, whatever their space."""
    index = indexes(2)
    for n, space in enumerate("baa", 1):
        index.add(space, str(n), [1.0], KEPT_S + n)
    gone = await nearest(index, "b", [1.0])

    index.add("a", "4", [-1.0], KEPT_S + 4)

    assert gone is None
    assert await nearest(index, "a", [1.0]) == "3"


async def test_spaces_that_nobody_asks_about_go_first() -> None:
    """In memory, a whole space at once."""
    index = MemoryVectors(3)
    for space, key in (("a", "1"), ("b", "1"), ("a", "2")):
        index.add(space, key, [1.0], KEPT_S)

    index.add("a", "3", [1.0], KEPT_S)

    assert await nearest(index, "b", [1.0]) is None
    assert await nearest(index, "a", [1.0]) == "1"


@pytest.mark.parametrize("vector", [[0.0, 0.0], [math.nan, 1.0], [math.inf, 1.0]])
async def test_vectors_that_point_nowhere_are_not_compared(indexes: Indexes, vector: list[float]) -> None:
    """They are neither remembered nor found."""
    index = indexes(10)
    index.add("s", "bad", vector, KEPT_S)
    index.add("s", "good", [1.0, 0.0], KEPT_S)

    assert await nearest(index, "s", vector) is None
    assert await nearest(index, "s", [1.0, 0.0]) == "good"


async def test_vectors_of_another_length_begin_anew(indexes: Indexes) -> None:
    """When an embedding model changes, what its predecessor said is of no use."""
    index = indexes(10)
    index.add("s", "old", [1.0, 0.0], KEPT_S)
    before = await nearest(index, "s", [1.0, 0.0, 0.0])
    index.add("s", "new", [1.0, 0.0, 0.0], KEPT_S)

    after = await nearest(index, "s", [1.0, 0.0, 0.0])

    assert (before, after) == (None, "new")
    assert await nearest(index, "s", [1.0, 0.0]) is None


async def test_questions_are_purged_by_the_keys_of_their_answers(indexes: Indexes) -> None:
    """Those of one tenant, say, in whatever space they are; without a prefix all of them."""
    index = indexes(10)
    for space, key in (("a", "chat:fast:one:12"), ("b", "chat:fast:two:34"), ("b", "chat:fast:one:56")):
        index.add(space, key, [1.0], KEPT_S)

    index.purge("chat:fast:one:")
    left = [await nearest(index, space, [1.0]) for space in ("a", "b")]
    index.purge("")

    assert left == [None, "chat:fast:two:34"]
    assert await nearest(index, "b", [1.0]) is None


async def test_the_index_outlives_a_configuration() -> None:
    """A reload that does not change its model keeps it; another model begins with an empty one."""
    caching = Caching()
    index = caching.compared("m", 10)
    index.add("s", "k", [1.0], KEPT_S)

    same, other = caching.compared("m", 10), caching.compared("n", 10)

    assert same is index
    assert await other.nearest("s", [1.0]) is None


# --- what only replicas have -----------------------------------------------------------------------------------------


async def test_replicas_find_what_others_asked(redis_8: RedisServer) -> None:
    """With the same model; vectors of another one are another matter."""
    async with linked(redis_8, "shared-vectors") as one, linked(redis_8, "shared-vectors") as two:
        asker = SharedVectors(one, "m", 10, MemoryVectors(10))
        asker.add("s", "k", [1.0, 0.0], KEPT_S)
        await asker.nearest("s", [1.0, 0.0])

        found = [await nearest(SharedVectors(two, model, 10, MemoryVectors(10)), "s", [1.0, 0.1]) for model in "mn"]

    assert found == ["k", None]


async def test_questions_go_with_their_answers(redis_8: RedisServer) -> None:
    """What is over is not found, leaves the rest in peace, and is taken away when something is added."""
    async with linked(redis_8) as sets:
        index = SharedVectors(sets, "m", 10, MemoryVectors(10))
        index.add("s", "brief", [1.0, 0.0], 0.5)  # outlives the next command, which takes away what is over
        index.add("s", "long", [0.0, 1.0], KEPT_S)
        await until(lambda: redis_8.do("ZCOUNT", sets.kept, "-inf", f"({server_ms(redis_8)}"))

        found = await nearest(index, "s", [1.0, 0.0])
        index.add("t", "other", [1.0], KEPT_S)
        await index.nearest("t", [1.0])
        keys = [key for key in redis_8.do("KEYS", f"{sets.tag}*") if key.endswith(":s")]

        assert found == "long"
        assert redis_8.do("VCARD", keys[0]) == 1
        assert 0 < redis_8.do("PTTL", keys[0]) <= KEPT_S * 1000


def server_ms(server: RedisServer) -> int:
    """Return the time of a server."""
    seconds, microseconds = server.do("TIME")
    return int(seconds) * 1000 + int(microseconds) // 1000


async def test_a_server_without_vector_sets() -> None:
    """Each process compares with what it asked itself."""
    with redis_with(vector_sets=False) as server:
        async with linked(server) as sets:
            index = SharedVectors(sets, "m", 10, MemoryVectors(10))
            index.add("s", "k", [1.0], KEPT_S)

            usable, found = sets.usable, await nearest(index, "s", [1.0])
            index.forget("s", "k")

            assert (usable, found) == (False, "k")
            assert await nearest(index, "s", [1.0]) is None
            assert server.do("KEYS", "*vectors}*") == []


async def test_redis_may_be_gone_and_come_back() -> None:
    """While it is gone each process has its own; a server that comes back is asked anew what it has."""
    with redis_with(vector_sets=True) as server:
        async with linked(server) as sets:
            index = SharedVectors(sets, "m", 10, MemoryVectors(10))
            index.add("s", "there", [1.0], KEPT_S)
            server.kill()
            lost = await nearest(index, "s", [1.0])
            await until(lambda: not sets.link.up)
            index.add("s", "here", [1.0], KEPT_S)

            meanwhile = await nearest(index, "s", [1.0])
            server.start()
            await until(lambda: sets.usable)

            assert (lost, meanwhile) == (None, "here")
            assert await nearest(index, "s", [1.0]) is None
