"""What every adapter promises about accounts: one suite for the memory and for each server that speaks Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from app.core.accounts import HOLD_S, Account, Hold, Level, Refused
from app.core.money import Budget
from app.state.budgets.memory import Change, MemoryAccounts
from app.state.budgets.redis import RedisAccounts, levels, reserved, settled
from app.state.link.batch import Batch
from tests.state.hand import Hand, on_time
from tests.support.redis_server import RedisServer, servers

LIMIT = 1_000
_prefixes = itertools.count()
_holds = itertools.count()


def an_account(name: str = "a", limit: int = LIMIT, *, hard: bool = True, width_ms: int = 0) -> Account:
    """Return an account."""
    return Account(name, Budget(name, limit, hard=hard), width_ms, 10_000_000, None)


class Accounts(Protocol):
    """Both adapters behind one face."""

    async def reserve(self, accounts: Sequence[Account], amount: int) -> Hold | Refused:
        """Hold an amount."""
        ...

    async def settle(self, hold: Hold, amount: int) -> list[Change]:
        """Exchange a hold."""
        ...

    async def read(self, *accounts: Account) -> list[Level]:
        """Look."""
        ...


class InMemory:
    """The adapter that never waits, as one that could."""

    def __init__(self, hand: Hand) -> None:
        self._accounts = MemoryAccounts(lambda: hand.now_ms)

    async def reserve(self, accounts: Sequence[Account], amount: int) -> Hold | Refused:
        """Decide."""
        return self._accounts.reserve(accounts, f"h{next(_holds)}", amount)

    async def settle(self, hold: Hold, amount: int) -> list[Change]:
        """Decide."""
        return self._accounts.settle(hold, amount)

    async def read(self, *accounts: Account) -> list[Level]:
        """Look."""
        return self._accounts.read(accounts)


class InRedis:
    """The adapter whose decisions Redis takes."""

    def __init__(self, batch: Batch, hand: Hand) -> None:
        self._ask = on_time(batch.submit, hand)
        self._accounts = RedisAccounts(self._ask, f"t{next(_prefixes)}")

    async def reserve(self, accounts: Sequence[Account], amount: int) -> Hold | Refused:
        """Decide."""
        hold = Hold(f"h{next(_holds)}", tuple(accounts), amount)
        return reserved(await self._ask(self._accounts.reservation(hold)), hold)

    async def settle(self, hold: Hold, amount: int) -> list[Change]:
        """Decide."""
        return settled(await self._accounts.settling(hold.accounts, amount, [hold.id]), hold.accounts)

    async def read(self, *accounts: Account) -> list[Level]:
        """Look."""
        return levels(await self._accounts.reading(accounts))


@pytest.fixture
def hand() -> Hand:
    """Return the time."""
    return Hand()


@pytest.fixture(params=["memory", *servers()])
async def accounts(
    request: pytest.FixtureRequest, hand: Hand, all_servers: dict[str, RedisServer]
) -> AsyncIterator[Accounts]:
    """Return each adapter in turn."""
    if request.param == "memory":
        yield InMemory(hand)
        return
    client = Redis(port=all_servers[request.param].port, protocol=2)
    batch = Batch(client, 10.0, lambda _error: None)
    try:
        yield InRedis(batch, hand)
    finally:
        await batch.aclose()
        await client.aclose()


async def held(accounts: Accounts, amount: int, *on: Account) -> Hold:
    """Hold an amount for which there is room."""
    hold = await accounts.reserve(on, amount)
    assert isinstance(hold, Hold)
    return hold


async def test_a_hold_is_exchanged_for_what_was_spent(accounts: Accounts) -> None:
    """Less or more than was held."""
    account = an_account()
    first, second = await held(accounts, 400, account), await held(accounts, 500, account)

    before = await accounts.read(account)
    changes = [*await accounts.settle(first, 100), *await accounts.settle(second, 700)]

    assert before == [Level(0, 900)]
    assert [(change.before_nusd, change.now_nusd) for change in changes] == [(0, 100), (100, 800)]
    assert await accounts.read(account) == [Level(800, 0)]


async def test_what_does_not_fit_is_refused_and_leaves_nothing(accounts: Accounts) -> None:
    """Not even on the accounts that had room."""
    wide, narrow = an_account("wide"), an_account("narrow", 100)
    await held(accounts, 60, narrow)

    refused = await accounts.reserve([wide, narrow], 50)

    assert refused == Refused(narrow, Level(0, 60))
    assert await accounts.read(wide, narrow) == [Level(0, 0), Level(0, 60)]


async def test_the_last_nano_dollar_fits(accounts: Accounts) -> None:
    """The limit itself may be spent, and not a bit more."""
    account = an_account()
    await accounts.settle(await held(accounts, LIMIT, account), LIMIT)

    assert isinstance(await accounts.reserve([account], 1), Refused)
    assert isinstance(await accounts.reserve([account], 0), Hold)


async def test_a_soft_budget_refuses_nothing(accounts: Accounts) -> None:
    """It is counted all the same."""
    account = an_account(hard=False)

    await accounts.settle(await held(accounts, 5 * LIMIT, account), 5 * LIMIT)

    assert await accounts.read(account) == [Level(5 * LIMIT, 0)]


async def test_the_hold_of_a_process_that_died_is_forgotten(accounts: Accounts, hand: Hand) -> None:
    """After longer than any answer takes."""
    account = an_account()
    await held(accounts, LIMIT, account)
    hand.pass_s(HOLD_S - 1)
    early = await accounts.reserve([account], 1)
    hand.pass_s(2)

    late = await accounts.reserve([account], 1)

    assert (isinstance(early, Refused), isinstance(late, Hold)) == (True, True)


async def test_a_hold_that_was_forgotten_is_still_settled(accounts: Accounts, hand: Hand) -> None:
    """What was spent was spent."""
    account = an_account()
    hold = await held(accounts, 10, account)
    hand.pass_s(HOLD_S + 1)

    await accounts.settle(hold, 10)

    assert await accounts.read(account) == [Level(10, 0)]


async def test_a_rolling_window_forgets_bit_by_bit(accounts: Accounts, hand: Hand) -> None:
    """What was spent leaves it after 59 to 60 buckets."""
    account = an_account(width_ms=1000)
    await accounts.settle(await held(accounts, 300, account), 300)
    hand.pass_s(30)
    await accounts.settle(await held(accounts, 500, account), 500)
    hand.pass_s(29)
    whole = await accounts.read(account)
    hand.pass_s(1)

    later = await accounts.read(account)
    hand.pass_s(60)

    assert (whole, later) == ([Level(800, 0)], [Level(500, 0)])
    assert await accounts.read(account) == [Level(0, 0)]


async def test_many_at_once_never_spend_too_much(accounts: Accounts) -> None:
    """Of fifty calls that fit ten times, ten are let through."""
    account = an_account()

    found = await asyncio.gather(*[accounts.reserve([account], 100) for _ in range(50)])

    assert sum(isinstance(each, Hold) for each in found) == 10


STEPS = st.lists(st.tuples(st.sampled_from(["reserve", "settle", "pass"]), st.integers(0, 400)), max_size=30)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(STEPS)
async def test_both_adapters_decide_alike(accounts: Accounts, hand: Hand, steps: list[tuple[str, int]]) -> None:
    """Whatever happens in whatever order, the adapter decides as a model that keeps every single amount."""
    account = an_account(f"m{next(_prefixes)}", width_ms=1000)
    spent: list[tuple[int, int]] = []
    holds: list[tuple[Hold, int]] = []

    def level() -> Level:
        oldest = hand.now_ms // 1000 - 60
        holding = [hold.amount_nusd for hold, ends in holds if ends > hand.now_ms]
        return Level(sum(amount for at, amount in spent if at // 1000 > oldest), sum(holding))

    for step, number in steps:
        if step == "pass":
            hand.pass_s(number / 10)
        elif step == "settle" and holds:
            hold, _ = holds.pop(number % len(holds))
            await accounts.settle(hold, number)
            spent.append((hand.now_ms, number))
        else:
            before = level()
            found = await accounts.reserve([account], number)
            fits = before.spent_nusd + before.held_nusd + number <= LIMIT
            assert isinstance(found, Hold) == fits
            if isinstance(found, Hold):
                holds.append((found, hand.now_ms + round(HOLD_S * 1000)))
        assert await accounts.read(account) == [level()]
