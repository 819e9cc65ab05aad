"""Budgets of one process and of several that share a Redis, also while that is away."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal

import msgspec
import pytest

from app.core.clock import SystemClock
from app.core.errors import INSUFFICIENT_QUOTA, STATE_UNAVAILABLE, GatewayError
from app.core.money import Budget
from app.core.signals import BudgetReached, Signal
from app.core.spending.budgets import Account, Hold, account
from app.state.budgets import LocalBudgets, SharedBudgets
from app.state.connecting import connect
from app.state.degrading import RedisLink
from app.state.shared_spending import RedisAccounts
from app.state.spending import MemoryAccounts
from tests.state.sharing import OPTIONS, until
from tests.support.redis_server import RedisServer

LIMIT = 10_000
_names = itertools.count()


class Replica:
    """The budgets of one gateway among several."""

    def __init__(self, url: str, prefix: str, fail: Literal["local", "open", "closed"]) -> None:
        self.told: list[Signal] = []
        ids = itertools.count()
        me = next(_names)
        self.link = RedisLink(connect(url, OPTIONS.connect_s), OPTIONS, lambda: 0.0, self.told.append)
        local = LocalBudgets(SystemClock(), self.told.append, lambda: f"{me}-{next(ids)}")
        self.budgets = SharedBudgets(RedisAccounts(self.link.submit, prefix), self.link, local, fail)

    async def spend(self, on: Account, amount: int) -> str:
        """Spend an amount, and return `ok` or the code of the refusal."""
        try:
            hold = await self.budgets.reserve([on], amount)
        except GatewayError as error:
            return error.kind.code
        self.budgets.settle(hold, amount)
        return "ok"

    async def spent(self, on: Account) -> int:
        """Return what is known to be spent."""
        (level,) = await self.budgets.levels([on])
        return level.spent_nusd


@asynccontextmanager
async def replica(url: str, prefix: str, fail: Literal["local", "open", "closed"] = "local") -> AsyncIterator[Replica]:
    """Run a replica."""
    found = Replica(url, prefix, fail)
    async with found.link:
        yield found


@pytest.fixture
def on() -> Account:
    """Return an account that nobody has spent on."""
    return account(Budget(f"b{next(_names)}", LIMIT, period="total"), "", 1_795_000_000.0)


async def test_replicas_share_what_is_spent(shared_server: RedisServer, on: Account) -> None:
    """A budget is one budget, however many gateways spend it, and each share of it is told once by one of them."""
    prefix = f"p{next(_names)}"
    async with replica(shared_server.url, prefix) as one, replica(shared_server.url, prefix) as other:
        found = await asyncio.gather(*[each.spend(on, 1_000) for each in (one, other) for _ in range(10)])
        await until(lambda: len(one.told) + len(other.told) == 3)

    assert sorted(found) == [INSUFFICIENT_QUOTA.code] * 10 + ["ok"] * 10
    shares = [told.share for told in [*one.told, *other.told] if isinstance(told, BudgetReached)]
    assert sorted(shares) == [0.5, 0.8, 1.0]


async def test_a_caller_who_leaves_holds_nothing(shared_server: RedisServer, on: Account) -> None:
    """A reservation whose caller is gone before the answer is given back."""
    async with replica(shared_server.url, f"p{next(_names)}") as one:
        task = asyncio.ensure_future(one.budgets.reserve([on], LIMIT))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        async def free() -> bool:
            (level,) = await one.budgets.levels([on])
            return level.held_nusd == 0

        await until(free)
        assert await one.spend(on, LIMIT) == "ok"


async def test_without_redis_a_small_share_may_be_spent(server: RedisServer, on: Account) -> None:
    """Each process goes on from what it knew, for one hundredth of the budget, and tells Redis when that is back."""
    prefix = f"p{next(_names)}"
    async with replica(server.url, prefix) as one:
        assert await one.spend(on, 5_000) == "ok"
        await until(lambda: bool(one.told))
        server.kill()
        await until(lambda: not one.link.up)

        alone = [await one.spend(on, 40) for _ in range(4)]
        known = await one.spent(on)
        server.start()
        await until(lambda: one.link.up)

        async def told() -> bool:
            return await one.spent(on) == 80

        await until(told)

    assert alone == ["ok", "ok", INSUFFICIENT_QUOTA.code, INSUFFICIENT_QUOTA.code]
    assert known == 5_080


@pytest.mark.parametrize(("fail", "code"), [("open", "ok"), ("closed", STATE_UNAVAILABLE.code)])
async def test_other_policies_without_redis(fail: Literal["open", "closed"], code: str, on: Account) -> None:
    """Everything passes, or nothing does."""
    async with replica("redis://127.0.0.1:1", "p", fail) as one:
        assert await one.spend(on, 100 * LIMIT) == code


async def test_what_is_spent_is_not_lost_when_redis_goes_in_the_middle(server: RedisServer, on: Account) -> None:
    """A settlement that Redis did not take is owed, and paid when it is back."""
    async with replica(server.url, f"p{next(_names)}") as one:
        hold = await one.budgets.reserve([on], 100)
        server.freeze()
        one.budgets.settle(hold, 70)
        await until(lambda: not one.link.up)
        server.thaw()
        await until(lambda: one.link.up)

        async def paid() -> bool:
            return await one.spent(on) >= 70

        await until(paid)


def test_accounts_that_nobody_needs_are_forgotten() -> None:
    """Periods come and go; what is over is swept away now and then."""
    now = 0
    accounts = MemoryAccounts(lambda: now)
    old = Account("old", Budget("b", LIMIT), 0, 10, None)
    accounts.settle(Hold("h", (old,), 0), 5)
    now = 20
    new = msgspec.structs.replace(old, id="new")

    for number in range(1024):
        accounts.reserve([new], f"h{number}", 0)

    assert [level.spent_nusd for level in accounts.read([old, new])] == [0, 0]
