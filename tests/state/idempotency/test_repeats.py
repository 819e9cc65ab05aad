"""What every adapter promises about repeats: one suite for the memory and for each server that speaks Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import msgspec
import pytest

from app.core.clock import SystemClock
from app.core.errors import STATE_UNAVAILABLE, GatewayError
from app.core.idempotency import Answered, Busy, Different, Leading, Repeats, fingerprint_of, name_of
from app.core.model import Completion, Native
from app.state.idempotency import RepeatLimits
from app.state.idempotency.memory import LocalRepeats
from app.state.idempotency.redis import CLAIM_S, SharedRepeats
from app.state.link.redis import RedisLink
from tests.state.sharing import HANGS_S, OPTIONS, until
from tests.support.redis_server import RedisServer, servers

LIMITS = RepeatLimits(ttl_s=1.0, entries_max=3, entry_max_bytes=1000, total_max_bytes=2000)
_numbers = itertools.count()


def tokens() -> Callable[[], str]:
    """Return what makes tokens."""
    numbers = itertools.count()
    return lambda: f"t{next(numbers)}"


class Replica:
    """What one gateway has of it."""

    def __init__(self, url: str, prefix: str, fail: str, claim_s: float) -> None:
        options = msgspec.structs.replace(OPTIONS, key_prefix=prefix)
        self.link = RedisLink(url, options, lambda: 0.0, lambda _signal: None)
        name = f"r{next(_numbers)}-"
        made = tokens()
        local = LocalRepeats(LIMITS, SystemClock(), lambda: name + made())
        self.repeats = SharedRepeats(self.link, local, fail, claim_s)  # type: ignore[arg-type] # of the words


@asynccontextmanager
async def replica(url: str, prefix: str, fail: str = "local", claim_s: float = CLAIM_S) -> AsyncIterator[Replica]:
    """Run a replica."""
    found = Replica(url, prefix, fail, claim_s)
    async with found.link:
        yield found


@pytest.fixture(params=["memory", *servers()])
async def repeats(request: pytest.FixtureRequest, all_servers: dict[str, RedisServer]) -> AsyncIterator[Repeats]:
    """Return each adapter in turn."""
    if request.param == "memory":
        yield LocalRepeats(LIMITS, SystemClock(), tokens())
        return
    async with replica(all_servers[request.param].url, f"repeats-{next(_numbers)}") as found:
        yield found.repeats


def answered(text: bytes = b"{}", fingerprint: bytes = b"f") -> Answered:
    """Return an answer."""
    return Answered(fingerprint, Completion(text))


async def _holds_for(server: RedisServer, key: str, milliseconds: int) -> bool:
    return bool(server.do("PTTL", key) >= milliseconds)


async def _is_free(repeats: Repeats, name: str) -> bool:
    return isinstance(await repeats.claim(name, b"g"), Leading)


async def lead(repeats: Repeats, name: str = "n", fingerprint: bytes = b"f") -> Leading:
    """Claim a name that nobody has."""
    claim = await repeats.claim(name, fingerprint)
    assert isinstance(claim, Leading)
    return claim


async def test_the_first_leads(repeats: Repeats) -> None:
    """Those with the same request wait, others learn that they are different, and other names are free."""
    await lead(repeats)

    claims = [await repeats.claim(*asked) for asked in (("n", b"f"), ("n", b"g"), ("m", b"g"))]

    assert [type(claim) for claim in claims] == [Busy, Different, Leading]


async def test_an_answer_is_kept(repeats: Repeats) -> None:
    """With everything that belongs to it, for its time."""
    answer = Answered(b"f", Completion(b"{}", None, ("stop",), Native("x", b"\x00\xff"), "audio/mpeg"))
    await repeats.keep(await lead(repeats), answer)

    again, different = await repeats.claim("n", b"f"), await repeats.claim("n", b"g")
    await until(partial(_is_free, repeats, "n"))

    assert again == answer
    assert isinstance(different, Different)


async def test_giving_up_lets_the_next_lead(repeats: Repeats) -> None:
    """Whatever its request is."""
    await repeats.give_up(await lead(repeats))

    await lead(repeats, fingerprint=b"g")


async def test_what_is_too_large_is_given_up(repeats: Repeats) -> None:
    """As if there had been no answer."""
    await repeats.keep(await lead(repeats), answered(b"x" * 1001))

    await lead(repeats)


async def test_only_whoever_leads_can_end_it(repeats: Repeats) -> None:
    """One that lost its claim changes nothing."""
    first = await lead(repeats)
    await repeats.give_up(first)
    second = await lead(repeats)

    await repeats.keep(first, answered(b"late"))
    await repeats.give_up(first)
    still = await repeats.claim("n", b"f")
    await repeats.keep(second, answered(b"right"))

    assert isinstance(still, Busy)
    assert await repeats.claim("n", b"f") == answered(b"right")


@pytest.mark.parametrize("ending", ["kept", "given up"])
async def test_waiting_ends(repeats: Repeats, ending: str) -> None:
    """Soon after the call under way has ended."""
    leading = await lead(repeats)
    busy = await repeats.claim("n", b"f")
    assert isinstance(busy, Busy)

    async def waits() -> object:
        for looks in range(100):
            await repeats.wait(busy, looks)
            claim = await repeats.claim("n", b"f")
            if not isinstance(claim, Busy):
                return claim
        raise AssertionError("it never ended")

    waiting = asyncio.ensure_future(waits())
    await asyncio.sleep(0.05)
    await (repeats.keep(leading, answered()) if ending == "kept" else repeats.give_up(leading))
    found = await waiting

    assert isinstance(found, Answered if ending == "kept" else Leading)


async def test_waiting_for_what_has_ended(repeats: Repeats) -> None:
    """It is over at once, or after a short pause."""
    await asyncio.wait_for(repeats.wait(Busy("nothing"), 0), HANGS_S)


async def test_many_at_once_have_one_leader(repeats: Repeats) -> None:
    """Of calls that come in the same moment."""
    claims = await asyncio.gather(*(repeats.claim("n", b"f") for _ in range(50)))

    assert [type(claim) for claim in claims].count(Leading) == 1
    assert [type(claim) for claim in claims].count(Busy) == 49


async def test_memory_has_an_end() -> None:
    """By number and by bytes; the oldest answers go first, and calls under way are not touched."""
    repeats = LocalRepeats(LIMITS, SystemClock(), tokens())
    await lead(repeats, "running")
    for n in range(4):
        await repeats.keep(await lead(repeats, f"n{n}"), answered(b"{}"))
    by_number = [type(await repeats.claim(f"n{n}", b"f")) for n in (1, 2, 3)]
    for n in range(3):
        await repeats.keep(await lead(repeats, f"m{n}"), answered(b"x" * 900))

    by_bytes = [type(await repeats.claim(f"m{n}", b"f")) for n in range(3)]

    assert by_number == [Answered] * 3
    assert by_bytes == [Leading, Answered, Answered]
    assert isinstance(await repeats.claim("running", b"f"), Busy)


# --- several replicas ------------------------------------------------------------------------------------------------


async def test_replicas_share(shared_server: RedisServer) -> None:
    """A call on one waits for one on the other, and gets its answer."""
    prefix = f"repeats-{next(_numbers)}"
    async with replica(shared_server.url, prefix) as one, replica(shared_server.url, prefix) as other:
        leading = await lead(one.repeats)
        busy = await other.repeats.claim("n", b"f")
        await one.repeats.keep(leading, answered(b"one"))
        found = await other.repeats.claim("n", b"f")

    assert isinstance(busy, Busy)
    assert found == answered(b"one")


async def test_claims_are_held_while_the_call_goes_on(shared_server: RedisServer) -> None:
    """With each beat they hold for their whole time again."""
    prefix = f"repeats-{next(_numbers)}"
    async with replica(shared_server.url, prefix, claim_s=60.0) as one:
        await lead(one.repeats)
        shared_server.do("PEXPIRE", f"{{{prefix}:idem:n}}", 30_000)

        await until(partial(_holds_for, shared_server, f"{{{prefix}:idem:n}}", 30_001))


async def test_a_replica_that_is_gone_holds_nothing_for_long(shared_server: RedisServer) -> None:
    """Its claims end by themselves."""
    prefix = f"repeats-{next(_numbers)}"
    async with replica(shared_server.url, prefix) as other:
        async with replica(shared_server.url, prefix, claim_s=0.3) as one:
            await lead(one.repeats)

        await until(partial(_is_free, other.repeats, "n"))


async def test_without_redis_each_process_goes_by_what_it_knows(server: RedisServer) -> None:
    """An answer that Redis did not take is not kept; what comes then is kept here, until Redis is back."""
    async with replica(server.url, "a") as one:
        before = await lead(one.repeats, "before")
        server.kill()
        await until(lambda: not one.link.up)
        await one.repeats.keep(before, answered(b"lost"))
        await lead(one.repeats, "before")
        await one.repeats.keep(await lead(one.repeats), answered(b"here"))
        found = await one.repeats.claim("n", b"f")
        given_up = await lead(one.repeats, "other")
        await one.repeats.give_up(given_up)

    assert found == answered(b"here")


@pytest.mark.parametrize("fail", ["open", "closed"])
async def test_without_redis_otherwise(server: RedisServer, fail: str) -> None:
    """Every call is its own, or is refused."""
    async with replica(server.url, "a", fail) as one:
        server.kill()
        await until(lambda: not one.link.up)
        if fail == "open":
            first, second = await lead(one.repeats), await lead(one.repeats)
            await one.repeats.keep(first, answered())
            await one.repeats.give_up(second)
            await lead(one.repeats)
        else:
            with pytest.raises(GatewayError) as caught:
                await one.repeats.claim("n", b"f")
            assert caught.value.kind is STATE_UNAVAILABLE


def test_names_and_fingerprints() -> None:
    """What differs in any byte is something else, wherever the border between its parts is."""
    names = {name_of(*parts) for parts in (("a", "b"), ("ab", ""), ("", "ab"), ("a", "c"))}
    prints = {fingerprint_of(*parts) for parts in (("chat", b"{}"), ("chat", b"{ }"), ("generate", b"{}"))}

    assert (len(names), len(prints)) == (4, 3)
