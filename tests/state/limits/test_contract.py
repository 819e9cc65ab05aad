"""What every adapter promises about rate limits: one suite for the memory and for each server that speaks Redis."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.core.gcra import US_PER_S
from app.core.rules import NEVER, Decision
from tests.state.hand import Hand
from tests.state.limits.limiting import (
    Deciding,
    InMemory,
    ask,
    claim,
    in_redis,
    places,
    remaining,
    requests,
    tokens,
    waits_s,
)
from tests.support.redis_server import RedisServer, servers


@pytest.fixture
def hand() -> Hand:
    """Return the time."""
    return Hand()


@pytest.fixture(params=["memory", *servers()])
async def limits(
    request: pytest.FixtureRequest, hand: Hand, all_servers: dict[str, RedisServer]
) -> AsyncIterator[Deciding]:
    """Return each adapter in turn."""
    if request.param == "memory":
        yield InMemory(hand)
        return
    async with in_redis(all_servers[request.param].port, hand) as adapter:
        yield adapter


async def admitted(limits: Deciding, *claims: object, hold_s: float = 30.0) -> Decision:
    """Ask for what must be granted."""
    decision = await limits.acquire(ask(*claims, hold_s=hold_s))  # type: ignore[arg-type] # claims
    assert decision.admitted
    return decision


async def test_a_new_bucket_is_full(limits: Deciding) -> None:
    """As many calls pass at once as the burst has, and each is told what is left."""
    rule = requests(60, burst=3)

    decisions = [await limits.acquire(ask(claim(rule))) for _ in range(4)]

    assert [True, True, True, False] == [decision.admitted for decision in decisions]
    assert [[2], [1], [0], [0]] == [remaining(decision.standings) for decision in decisions]
    assert [1.0, 2.0, 3.0, 3.0] == [decision.standings[0].reset_s for decision in decisions]


async def test_it_fills_at_its_rate(limits: Deciding, hand: Hand) -> None:
    """Not a microsecond early, and up to the burst only."""
    rule = requests(60, burst=2)
    for _ in range(2):
        await admitted(limits, claim(rule))
    hand.now_us += US_PER_S - 1

    early = await limits.acquire(ask(claim(rule)))
    hand.now_us += 1
    await admitted(limits, claim(rule))
    hand.pass_s(1000)
    after = [await limits.acquire(ask(claim(rule))) for _ in range(3)]

    assert (False, 1) == (early.admitted, early.standings[0].wait_us)
    assert [True, True, False] == [decision.admitted for decision in after]


async def test_a_refusal_writes_nothing(limits: Deciding, hand: Hand) -> None:
    """However often somebody knocks, the time to wait does not grow, and other buckets are not touched."""
    narrow, wide = requests(60, burst=1), tokens(6000)
    await admitted(limits, claim(narrow))

    refused = [await limits.acquire(ask(claim(wide, 100), claim(narrow))) for _ in range(10)]
    hand.pass_s(1)
    decision = await limits.acquire(ask(claim(wide, 6000), claim(narrow)))

    assert {False} == {each.admitted for each in refused}
    assert [0.0, 1.0] == waits_s(refused[-1])
    assert decision.admitted


async def test_a_place_is_not_kept_by_who_is_refused(limits: Deciding) -> None:
    """Whatever the order: the place that comes before the bucket that is empty is free for the next call."""
    narrow, house = requests(60, burst=1), places(1)
    await admitted(limits, claim(narrow))

    refused = await limits.acquire(ask(claim(house), claim(narrow)))

    assert not refused.admitted
    assert [1, 0] == remaining(refused.standings)
    await admitted(limits, claim(house))


async def test_the_longest_wait_is_the_refusal(limits: Deciding) -> None:
    """Of several rules that refuse, the one that does so for longest is named."""
    minute, hour = requests(60, burst=1), tokens(3600, 3600, burst=10)
    await admitted(limits, claim(minute), claim(hour, 10))

    decision = await limits.acquire(ask(claim(minute), claim(hour, 10)))

    assert decision.refusal is not None
    assert (hour, 10 * US_PER_S) == (decision.refusal.claim.rule, decision.refusal.wait_us)


async def test_what_can_never_fit_waits_for_ever(limits: Deciding) -> None:
    """More than the burst at once is impossible; the burst itself is not."""
    rule = tokens(60, burst=10)

    impossible = await limits.acquire(ask(claim(rule, 11)))
    possible = await limits.acquire(ask(claim(rule, 10)))

    assert NEVER == impossible.standings[0].wait_us
    assert impossible.refusal is not None
    assert possible.admitted


async def test_tokens_that_were_not_needed_are_given_back(limits: Deciding) -> None:
    """A reservation that is settled at once leaves what the answer took."""
    rule = tokens(600, burst=600)
    decision = await admitted(limits, claim(rule, 500))

    await limits.settle(decision, 40)

    assert 560 == (await limits.read(claim(rule))).remaining


async def test_tokens_beyond_the_reservation_are_owed(limits: Deciding, hand: Hand) -> None:
    """They are taken from the future: the bucket may owe more than it holds."""
    rule = tokens(60, burst=60)
    decision = await admitted(limits, claim(rule, 10))

    await limits.settle(decision, 100)
    hand.pass_s(39)
    refused = await limits.acquire(ask(claim(rule, 1)))
    hand.pass_s(2)

    assert (False, 2.0) == (refused.admitted, waits_s(refused)[0])
    await admitted(limits, claim(rule, 1))


async def test_time_that_has_passed_is_not_given_back(limits: Deciding, hand: Hand) -> None:
    """What was reserved for longer than the bucket needs to fill has been paid with time."""
    rule = tokens(60, burst=60)
    early = await admitted(limits, claim(rule, 60))
    hand.pass_s(30)
    late = await admitted(limits, claim(rule, 30))

    await limits.settle(early, 0)
    left = await limits.read(claim(rule))
    await limits.settle(late, 0)

    assert 30 == left.remaining  # 30 of the 60 had been worked off, and may not be spent twice
    assert 60 == (await limits.read(claim(rule))).remaining


async def test_a_place_in_the_queue_moves_with_the_others(limits: Deciding, hand: Hand) -> None:
    """After an earlier call gave its work back, a later one has less to give than it seems."""
    rule = tokens(60, burst=100)
    first, second = [await admitted(limits, claim(rule, 50)) for _ in range(2)]
    await limits.settle(first, 0)
    hand.pass_s(40)
    await admitted(limits, claim(rule, 90))
    hand.pass_s(10)

    await limits.settle(second, 0)

    assert 10 == (await limits.read(claim(rule))).remaining  # the second was worked off by then, so nothing came back


async def test_a_forgotten_bucket_gets_nothing_back(limits: Deciding, hand: Hand) -> None:
    """A settlement that comes when the bucket has been new again changes nothing."""
    rule = tokens(60, burst=60)
    old = await admitted(limits, claim(rule, 60))
    hand.pass_s(1000)
    await admitted(limits, claim(rule, 30))

    await limits.settle(old, 0)

    assert 30 == (await limits.read(claim(rule))).remaining


async def test_requests_are_not_settled(limits: Deciding) -> None:
    """A call counts as one, whatever became of it."""
    rule = requests(60, burst=2)
    decision = await admitted(limits, claim(rule))

    await limits.settle(decision, 0)

    assert 1 == (await limits.read(claim(rule))).remaining


async def test_places_are_bounded(limits: Deciding) -> None:
    """As many calls at a time as there are places; whoever leaves lets the next one in."""
    rule = places(2)
    held = [await admitted(limits, claim(rule)) for _ in range(2)]

    full = await limits.acquire(ask(claim(rule)))
    await limits.settle(held[0], 0)
    again = await limits.acquire(ask(claim(rule)))

    assert (False, [1.0], [0]) == (full.admitted, waits_s(full), remaining(full.standings))
    assert again.admitted


async def test_places_of_the_dead_are_free_again(limits: Deciding, hand: Hand) -> None:
    """A replica that dies with a place keeps it for as long as a call may take, and not longer."""
    rule = places(1)
    lost = await admitted(limits, claim(rule), hold_s=5.0)
    hand.now_us += 5 * US_PER_S - 1
    before = await limits.acquire(ask(claim(rule)))
    hand.now_us += 1

    await admitted(limits, claim(rule), hold_s=5.0)
    await limits.settle(lost, 0)
    still = await limits.acquire(ask(claim(rule)))

    assert (False, False) == (before.admitted, still.admitted)


async def test_a_refused_call_takes_no_place(limits: Deciding) -> None:
    """All or nothing holds for places as well."""
    narrow, rule = requests(60, burst=1), places(1)
    await admitted(limits, claim(narrow))

    await limits.acquire(ask(claim(rule), claim(narrow)))

    await admitted(limits, claim(rule))


async def test_leaving_twice_frees_one_place(limits: Deciding) -> None:
    """A settlement that is repeated does no harm."""
    rule = places(2)
    one, _ = [await admitted(limits, claim(rule)) for _ in range(2)]

    for _ in range(2):
        await limits.settle(one, 0)
    decisions = [await limits.acquire(ask(claim(rule))) for _ in range(2)]

    assert [True, False] == [decision.admitted for decision in decisions]


async def test_a_rule_in_shadow_refuses_nobody(limits: Deciding) -> None:
    """It counts those that it would have admitted, and tells of the others."""
    rule, hidden = requests(60, burst=3), requests(60, burst=1, shadow=True)
    seen, room = claim(rule), claim(hidden, of="hidden")

    decisions = [await limits.acquire(ask(seen, room)) for _ in range(3)]

    assert {True} == {decision.admitted for decision in decisions}
    assert [(), (hidden,), (hidden,)] == [decision.overlooked for decision in decisions]
    assert (0, 1.0) == ((await limits.read(room)).remaining, (await limits.read(room)).reset_s)


async def test_a_place_in_shadow_is_not_taken_beyond_the_bound(limits: Deciding) -> None:
    """Those that it would have refused hold none, and their leaving frees none."""
    rule = places(1, shadow=True)
    _, over = [await admitted(limits, claim(rule)) for _ in range(2)]

    await limits.settle(over, 0)

    assert (rule,) == over.overlooked
    assert 0 == (await limits.read(claim(rule))).remaining


async def test_buckets_are_apart(limits: Deciding) -> None:
    """Each user has one of their own; names may hold anything."""
    rule = requests(60, burst=1)
    names = ["", "a", "a:b", "\u00e9\u4e2d{x}: 100% \\ %s"]

    decisions = [await limits.acquire(ask(claim(rule, of=name))) for name in [*names, *names]]

    assert [True] * 4 + [False] * 4 == [decision.admitted for decision in decisions]


async def test_a_month_is_as_exact_as_a_second(limits: Deciding, hand: Hand) -> None:
    """Long windows lose nothing to rounding."""
    month_s = 30 * 86_400
    rule = tokens(1_000_003, month_s)
    decision = await admitted(limits, claim(rule, 1_000_003))
    hand.pass_s(month_s / 2)

    half = (await limits.read(claim(rule))).remaining
    await limits.settle(decision, 900_000)

    assert (500_001, 600_004) == (half, (await limits.read(claim(rule))).remaining)


async def test_many_at_once_get_no_more_than_there_is(limits: Deciding) -> None:
    """Calls that come in the same moment compete for one burst and two places."""
    rule, few = requests(60, burst=5), places(2)

    decisions = await asyncio.gather(*(limits.acquire(ask(claim(rule), claim(few))) for _ in range(50)))

    assert 2 == sum(decision.admitted for decision in decisions)
    assert 3 == (await limits.read(claim(rule))).remaining
