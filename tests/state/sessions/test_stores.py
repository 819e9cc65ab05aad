"""What every store of sessions promises: one suite for memory, files, SQLite and each server that speaks Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from app.core.errors import SESSION_EXPIRED, SESSION_FULL, SESSION_NOT_FOUND, GatewayError
from app.core.sessions import Head, Session, SessionStore, Turn, size_of
from app.state.link.redis import RedisLink
from app.state.sessions import GRACE_S, SWEEP_EVERY_S, StoreLimits, checked
from app.state.sessions.file import FileSessions
from app.state.sessions.memory import MemorySessions
from app.state.sessions.redis import RedisSessions
from app.state.sessions.sqlite import SqliteSessions
from tests.state.hand import Hand, on_time
from tests.state.sharing import OPTIONS
from tests.support.redis_server import RedisServer, servers

LIMITS = StoreLimits(sessions_max=3, total_max_bytes=100_000)
HELLO, ANSWER = b'{"role":"user","content":"hello"}', b'{"role":"assistant","content":"h\xc3\xa9"}'
RULES, OTHER_RULES = b'{"role":"system","content":"be brief"}', b'{"role":"system","content":"be kind"}'
ODD = b'{"role": "user",  "content": [{"type":"text","text":"\\u00e9 \\" \\\\n"}], "x": {"y": [1, 2.50, null]}}'
_numbers = itertools.count()


class HandClock:
    """The time in a test's hand, as a clock."""

    def __init__(self, hand: Hand) -> None:
        self._hand = hand

    def now(self) -> float:
        """Return it in seconds."""
        return self._hand.now_ms / 1000

    def wall(self) -> float:
        """Return the same."""
        return self._hand.now_ms / 1000

    async def sleep(self, seconds: float) -> None:
        """Nobody waits here."""
        raise NotImplementedError


class Make(Protocol):
    """Makes a store; a second one stands for another process that has the same sessions."""

    def __call__(self) -> SessionStore:
        """Make one."""
        ...


@pytest.fixture
def hand() -> Hand:
    """Return the time."""
    return Hand()


@pytest.fixture(params=["memory", "file", "sqlite", *servers()])
async def make(
    request: pytest.FixtureRequest, hand: Hand, tmp_path: Path, all_servers: dict[str, RedisServer]
) -> AsyncIterator[Make]:
    """Return what makes each kind of store in turn."""
    clock, made = HandClock(hand), list[SessionStore]()
    shared = MemorySessions(LIMITS, clock)
    options = msgspec.structs.replace(OPTIONS, key_prefix=f"sessions-{next(_numbers)}")
    link: Any = None
    if request.param in all_servers:
        link = RedisLink(all_servers[request.param].url, options, lambda: 0.0, print)
        link.submit, link.operate = on_time(link.submit, hand), on_time(link.operate, hand)
    kinds: dict[str, Any] = {
        "memory": lambda: shared,
        "file": lambda: FileSessions(tmp_path / "kept", LIMITS, clock),
        "sqlite": lambda: SqliteSessions(tmp_path / "kept" / "sessions.db", LIMITS, clock),
    }

    def one() -> SessionStore:
        store: SessionStore = kinds.get(request.param, lambda: RedisSessions(link, LIMITS))()
        made.append(store)
        return store

    if link is not None:
        one()  # follows the link before it is up
        async with link:
            yield lambda: made[0]
    else:
        yield one
    for store in made:
        await store.aclose()


@pytest.fixture
def store(make: Make) -> SessionStore:
    """Return a store."""
    return make()


def a_session(hand: Hand, session_id: str = "sess_1", tenant: str = "eve", **parts: Any) -> Session:  # noqa: ANN401 - messages
    """Return a new session."""
    instructions, messages = parts.get("instructions", ()), parts.get("messages", ())
    now_wall, ttl_s = hand.now_ms / 1000, parts.get("ttl_s", 100.0)
    head = Head(
        id=session_id,
        tenant=tenant,
        created=now_wall,
        expires=now_wall + ttl_s,
        ttl_s=ttl_s,
        model=parts.get("model"),
        metadata=parts.get("metadata", b"{}"),
        messages=len(messages),
        size=size_of(instructions) + size_of(messages),
    )
    return Session(head, instructions, messages)


async def refusal(asked: Any) -> GatewayError:  # noqa: ANN401 - a coroutine
    """Return why something is refused."""
    with pytest.raises(GatewayError) as caught:
        await asked
    return caught.value


async def test_a_session_is_kept_as_it_is(store: SessionStore, hand: Hand) -> None:
    """Its messages byte for byte, its instructions apart from them, and what its owner says about it."""
    session = a_session(hand, instructions=(RULES,), messages=(HELLO, ODD), model="fast", metadata='{"é": 1}'.encode())

    await store.create(session)

    assert await store.load("eve", "sess_1") == session


async def test_turns_are_added_at_the_end(store: SessionStore, hand: Hand) -> None:
    """The head counts turns, messages and bytes."""
    await store.create(a_session(hand, messages=(ODD,)))

    first = await store.append("eve", "sess_1", Turn((HELLO, ANSWER)))
    await store.append("eve", "sess_1", Turn((HELLO,)))
    session = await store.load("eve", "sess_1")

    assert (first.turns, first.messages, first.size) == (1, 3, len(ODD) + len(HELLO) + len(ANSWER))
    assert session.messages == (ODD, HELLO, ANSWER, HELLO)
    assert (session.head.turns, session.head.messages) == (2, 4)
    assert session.head.size == size_of(session.messages)


async def test_instructions_are_replaced(store: SessionStore, hand: Hand) -> None:
    """By a turn that brings others, and by no other; their bytes count once."""
    await store.create(a_session(hand, instructions=(RULES,)))

    await store.append("eve", "sess_1", Turn((HELLO,), (OTHER_RULES, RULES)))
    await store.append("eve", "sess_1", Turn((HELLO,)))
    replaced = await store.load("eve", "sess_1")
    head = await store.append("eve", "sess_1", Turn((), ()))
    session = await store.load("eve", "sess_1")

    assert replaced.instructions == (OTHER_RULES, RULES)
    assert replaced.head.size == size_of((OTHER_RULES, RULES, HELLO, HELLO))
    assert (session.instructions, head.size) == ((), size_of((HELLO, HELLO)))


async def test_a_session_is_its_owners(store: SessionStore, hand: Hand) -> None:
    """Nobody else can read, change or delete it, or learn that it is there."""
    await store.create(a_session(hand))

    kinds = [
        (await refusal(asked)).kind
        for tenant, session_id in (("mallory", "sess_1"), ("eve", "sess_2"), ("eve", "sess_../eve"), ("eve", ""))
        for asked in (
            store.load(tenant, session_id),
            store.append(tenant, session_id, Turn((HELLO,))),
            store.delete(tenant, session_id),
        )
    ]

    assert set(kinds) == {SESSION_NOT_FOUND}
    assert (await store.load("eve", "sess_1")).messages == ()


async def test_deleting(store: SessionStore, hand: Hand) -> None:
    """It is gone at once, and so is the place that it took."""
    for n in range(3):
        await store.create(a_session(hand, f"sess_{n}", messages=(HELLO,)))

    await store.delete("eve", "sess_1")
    await store.create(a_session(hand, "sess_3"))

    assert (await refusal(store.load("eve", "sess_1"))).kind is SESSION_NOT_FOUND
    assert (await refusal(store.delete("eve", "sess_1"))).kind is SESSION_NOT_FOUND
    assert {"sess_0", "sess_2", "sess_3"} == {head.id for head in await store.listing("eve", 10)}


async def test_use_lets_a_session_live(store: SessionStore, hand: Hand) -> None:
    """Reading it and adding to it both count; its time runs from the last use."""
    await store.create(a_session(hand))
    for _ in range(3):
        hand.pass_s(99)
        await store.append("eve", "sess_1", Turn((HELLO,)))
        hand.pass_s(99)
        await store.load("eve", "sess_1")
    session = await store.load("eve", "sess_1")

    assert session.head.expires == hand.now_ms / 1000 + 100
    assert session.head.turns == 3


async def test_a_session_that_expired(store: SessionStore, hand: Hand) -> None:
    """Its owner is told so for a while, others are not; then it never was."""
    await store.create(a_session(hand, messages=(HELLO,), metadata=b'{"a":1}'))
    hand.pass_s(100)

    listed = await store.listing("eve", 10)
    kinds = [
        (await refusal(asked)).kind
        for asked in (
            store.load("eve", "sess_1"),
            store.append("eve", "sess_1", Turn((HELLO,))),
            store.delete("eve", "sess_1"),
            store.load("eve", "sess_1"),
        )
    ]
    others = (await refusal(store.load("mallory", "sess_1"))).kind

    assert listed == []
    assert (set(kinds), others) == ({SESSION_EXPIRED}, SESSION_NOT_FOUND)


async def test_what_expired_takes_no_place(store: SessionStore, hand: Hand) -> None:
    """Nor do its bytes; and after a day nobody remembers it."""
    for n in range(3):
        await store.create(a_session(hand, f"sess_{n}", messages=(b'"%b"' % (b"x" * 30_000),)))
    hand.pass_s(max(100, SWEEP_EVERY_S))

    await store.create(a_session(hand, "sess_new", messages=(b'"%b"' % (b"x" * 30_000),), ttl_s=1e6))
    told = (await refusal(store.load("eve", "sess_0"))).kind
    hand.pass_s(GRACE_S + 1)
    await store.create(a_session(hand, "sess_newer"))

    assert told is SESSION_EXPIRED
    if not isinstance(store, RedisSessions):  # which forgets by its own clock
        assert (await refusal(store.load("eve", "sess_0"))).kind is SESSION_NOT_FOUND
    assert (await store.load("eve", "sess_new")).head.messages == 1


async def test_one_owner_has_so_many(store: SessionStore, hand: Hand) -> None:
    """The next is refused; another owner has places of its own."""
    for n in range(3):
        await store.create(a_session(hand, f"sess_{n}"))

    error = await refusal(store.create(a_session(hand, "sess_9")))
    await store.create(a_session(hand, "sess_9", "mallory"))

    assert error.kind is SESSION_FULL
    assert ["sess_9"] == [head.id for head in await store.listing("mallory", 10)]


async def test_the_list(store: SessionStore, hand: Hand) -> None:
    """Of one owner or of all, those used last first."""
    for n, tenant in enumerate(("eve", "mallory", "eve")):
        await store.create(a_session(hand, f"sess_{n}", tenant, messages=(HELLO,)))
        hand.pass_s(1)
    await store.append("eve", "sess_0", Turn((ANSWER,)))

    mine, everybody, first = [await store.listing(*asked) for asked in (("eve", 10), (None, 10), (None, 1))]

    assert ["sess_0", "sess_2"] == [head.id for head in mine]
    assert ["sess_0", "sess_2", "sess_1"] == [head.id for head in everybody]
    assert first == everybody[:1]
    assert (mine[0].turns, mine[0].messages, mine[0].size) == (1, 2, len(HELLO) + len(ANSWER))


async def test_concurrent_turns_are_all_there(store: SessionStore, make: Make, hand: Hand) -> None:
    """Each whole, one after the other, whoever adds them."""
    other = make()
    await store.create(a_session(hand))
    turns = [
        Turn((b'{"role":"user","content":"%d"}' % n, b'{"role":"assistant","content":"%d"}' % n)) for n in range(30)
    ]

    await asyncio.gather(*((store, other)[n % 2].append("eve", "sess_1", turn) for n, turn in enumerate(turns)))
    session = await store.load("eve", "sess_1")

    pairs = list(zip(session.messages[::2], session.messages[1::2], strict=True))
    assert (session.head.turns, session.head.messages) == (30, 60)
    assert set(pairs) == {turn.messages for turn in turns}


async def test_the_same_id_of_two_owners(store: SessionStore, hand: Hand) -> None:
    """Ids are random, so this is nobody's plan; but neither sees what the other has."""
    await store.create(a_session(hand, messages=(HELLO,)))
    if isinstance(store, MemorySessions | SqliteSessions):
        return  # where an id is known once

    await store.create(a_session(hand, tenant="mallory", messages=(ANSWER,)))

    assert (await store.load("eve", "sess_1")).messages == (HELLO,)
    assert (await store.load("mallory", "sess_1")).messages == (ANSWER,)


async def test_a_long_session(store: SessionStore, hand: Hand) -> None:
    """Thousands of messages at once, and one that is large."""
    many = tuple(b'"%d"' % n for n in range(2_000))
    await store.create(a_session(hand, messages=many[:10]))

    await store.append("eve", "sess_1", Turn(many[10:]))
    session = await store.load("eve", "sess_1")

    assert session.messages == many


@pytest.mark.parametrize(
    "session_id", ["", "sess_../eve", "sess_a/b", "sess_a.db", "sess_a:b", "sess_a\0", "sess_\u00e4"]
)
def test_an_id_leads_nowhere_else(session_id: str) -> None:
    """Ids are parts of paths and of keys: what is no plain word is the id of no session, wherever they are kept."""
    with pytest.raises(GatewayError) as caught:
        checked(session_id)

    assert caught.value.kind is SESSION_NOT_FOUND


def test_a_session_survives_its_packing() -> None:
    """Nothing here stands for more than its bytes."""
    session = Session(Head("sess_1", "eve", 1.0, 2.0, 1.0), (RULES,), (HELLO,))

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(session), type=Session) == session
