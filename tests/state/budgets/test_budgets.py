"""Budgets of one process and of several that share a Redis, also while that is away."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from app.core.accounts import Account, Ahead, Charge, Hold
from app.core.clock import SystemClock
from app.core.errors import INSUFFICIENT_QUOTA, STATE_UNAVAILABLE, GatewayError
from app.core.money import Budget, usd
from app.core.signals import BudgetExceeded, BudgetExhausted, BudgetReached, Signal
from app.core.spending.budgets import account
from app.state.budgets.memory import LocalBudgets, MemoryAccounts
from app.state.budgets.sharing import AHEAD_MAX, SharedBudgets
from app.state.link import Fail
from app.state.link.batch import TOGETHER_MAX
from app.state.link.redis import LinkOptions, RedisLink
from tests.state.sharing import OPTIONS, until
from tests.support.fault_proxy import FaultProxy
from tests.support.redis_server import RedisServer

LIMIT = 10_000
QUICK = LinkOptions(timeout_s=0.5, connect_s=5.0, beat_s=0.02)  # for a Redis that hangs
_names = itertools.count()


class Settable(SystemClock):
    """A clock whose wall shows what it is told to."""

    wall_s = 0.0

    def wall(self) -> float:
        """Return it."""
        return self.wall_s


class Replica:
    """The budgets of one gateway among several."""

    def __init__(self, url: str, prefix: str, fail: Fail, options: LinkOptions) -> None:
        self.told: list[Signal] = []
        ids = itertools.count()
        me = next(_names)
        options = msgspec.structs.replace(options, key_prefix=prefix)
        self.link = RedisLink(url, options, lambda: 0.0, self.told.append)
        local = LocalBudgets(SystemClock(), self.told.append, lambda: f"{me}-{next(ids)}")
        self.budgets = SharedBudgets(self.link, local, fail)

    async def spend(self, on: Account, amount: int) -> str:
        """Spend an amount, and return `ok` or the code of the refusal."""
        try:
            hold = await self.budgets.reserve(Charge((on,), amount))
        except GatewayError as error:
            return error.kind.code
        self.budgets.settle(hold, amount)
        return "ok"

    async def held(self, on: Account) -> int:
        """Return what is held."""
        (level,) = await self.budgets.levels([on])
        return level.held_nusd

    async def ahead(self, *charges: Charge) -> Ahead:
        """Ask ahead, together with something else."""
        asked = self.budgets.ahead(charges)
        assert asked is not None
        await self.budgets.levels([an_account()])
        return asked

    async def spent(self, on: Account) -> int:
        """Return what is known to be spent."""
        (level,) = await self.budgets.levels([on])
        return level.spent_nusd


@asynccontextmanager
async def replica(
    url: str, prefix: str, fail: Fail = "local", options: LinkOptions = OPTIONS
) -> AsyncIterator[Replica]:
    """Run a replica."""
    found = Replica(url, prefix, fail, options)
    async with found.link:
        yield found


async def until_free(one: Replica, on: Account) -> None:
    """Wait until nothing is held."""

    async def free() -> bool:
        return await one.held(on) == 0

    await until(free)


def an_account() -> Account:
    """Return an account that nobody has spent on."""
    return account(Budget(f"b{next(_names)}", LIMIT, period="total"), "", 1_795_000_000.0)


@pytest.fixture
def on() -> Account:
    """Return an account that nobody has spent on."""
    return an_account()


@pytest.fixture
async def one(shared_server: RedisServer) -> AsyncIterator[Replica]:
    """Return a replica alone on its Redis."""
    async with replica(shared_server.url, f"p{next(_names)}") as found:
        yield found


async def test_replicas_share_what_is_spent(shared_server: RedisServer, on: Account) -> None:
    """A budget is one budget, however many gateways spend it, and each share of it is told once by one of them."""
    prefix = f"p{next(_names)}"
    async with replica(shared_server.url, prefix) as one, replica(shared_server.url, prefix) as other:
        found = await asyncio.gather(*[each.spend(on, 1_000) for each in (one, other) for _ in range(10)])
        await until(lambda: sum(isinstance(each, BudgetReached) for each in [*one.told, *other.told]) == 3)
        told = [*one.told, *other.told]

    assert sorted(found) == [INSUFFICIENT_QUOTA.code] * 10 + ["ok"] * 10
    assert sorted(each.share for each in told if isinstance(each, BudgetReached)) == [0.5, 0.8, 1.0]
    assert [each.budget for each in told if isinstance(each, BudgetExceeded)] == [on.budget.name] * 10


async def test_the_first_refusal_is_told_once(shared_server: RedisServer, on: Account) -> None:
    """By one of the replicas, however many calls each of them refuses; another budget is another matter."""
    prefix, another = f"p{next(_names)}", an_account()
    async with replica(shared_server.url, prefix) as one, replica(shared_server.url, prefix) as other:
        await one.spend(on, LIMIT)
        refused = [await each.spend(on, 1_000) for each in (one, other) for _ in range(3)]
        refused.append(await other.spend(another, LIMIT + 1))
        exhausted = BudgetExhausted(another.budget.name, 0.0, 0.0, usd(LIMIT))
        await until(lambda: exhausted in other.told)
        told = [*one.told, *other.told]

    assert set(refused) == {INSUFFICIENT_QUOTA.code}
    assert [each for each in told if isinstance(each, BudgetExhausted)] == [
        BudgetExhausted(on.budget.name, usd(LIMIT), 0.0, usd(LIMIT)),
        exhausted,
    ]


async def test_a_refusal_is_news_again_in_the_next_window() -> None:
    """A calendar's period has an account of its own; a rolling window is over after its length."""
    told: list[Signal] = []
    clock = Settable()
    budgets = LocalBudgets(clock, told.append, lambda: "h")
    rolling, monthly = Budget("r", LIMIT, window_s=60.0), Budget("m", LIMIT)
    seen = []

    for wall_s in (0.0, 30.0, 61.0, 62.0, 40 * 86_400.0):
        clock.wall_s = wall_s
        for each in (rolling, monthly):
            with pytest.raises(GatewayError):
                await budgets.reserve(Charge((account(each, "", wall_s),), LIMIT + 1))
        seen.append("".join(each.budget for each in told if isinstance(each, BudgetExhausted)))

    assert seen == ["rm", "rm", "rmr", "rmr", "rmrrm"]


async def test_a_caller_who_leaves_holds_nothing(shared_server: RedisServer, on: Account) -> None:
    """A reservation whose caller is gone before the answer is given back."""
    async with replica(shared_server.url, f"p{next(_names)}") as one:
        task = asyncio.ensure_future(one.budgets.reserve(Charge((on,), LIMIT)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        await until_free(one, on)
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


async def test_what_many_spent_without_redis_is_told_at_once(server: RedisServer) -> None:
    """However many they are: a round trip for each would keep a replica away for as long as that takes."""
    accounts = [an_account() for _ in range(3 * TOGETHER_MAX)]
    async with FaultProxy(server.port) as proxy, replica(f"redis://127.0.0.1:{proxy.port}/0", "many") as one:
        server.freeze()
        await one.spend(accounts[0], 40)
        await until(lambda: not one.link.up)
        for each in accounts:
            assert await one.spend(each, 40) == "ok"
        proxy.passed.clear()
        server.thaw()
        await until(lambda: one.link.up)
        packets = sum(piece.answer for piece in proxy.passed)

        async def told() -> bool:
            return [level.spent_nusd for level in await one.budgets.levels(accounts[1:])] == [40] * (len(accounts) - 1)

        await until(told)

    assert packets < len(accounts) / 2


async def test_what_redis_does_not_take_of_one_is_told_of_the_others(server: RedisServer) -> None:
    """If it refuses one account, or goes again in the middle, nobody's spending is forgotten."""
    refused, *others = accounts = [an_account() for _ in range(4)]
    prefix = f"p{next(_names)}"
    key = f"{{{prefix}:spend}}:{refused.id}"
    async with FaultProxy(server.port) as proxy, replica(f"redis://127.0.0.1:{proxy.port}/0", prefix) as one:
        server.do("SET", key, "no hash")
        for each in accounts:
            assert await one.spend(each, 40) == "ok"
        await proxy.wait_until(lambda: sum(b"WRONGTYPE" in piece.data for piece in proxy.passed) > 1)
        for each in others:
            assert await one.spend(each, 2) == "ok"

        server.do("DEL", key)
        await until(lambda: one.link.up)

        async def told() -> bool:
            return [level.spent_nusd for level in await one.budgets.levels(accounts)] == [40, 42, 42, 42]

        await until(told)


@pytest.mark.parametrize(("fail", "code"), [("open", "ok"), ("closed", STATE_UNAVAILABLE.code)])
async def test_other_policies_without_redis(fail: Fail, code: str, on: Account) -> None:
    """Everything passes, or nothing does."""
    async with replica("redis://127.0.0.1:1", "p", fail) as one:
        assert await one.spend(on, 100 * LIMIT) == code


async def test_what_is_spent_is_not_lost_when_redis_goes_in_the_middle(server: RedisServer, on: Account) -> None:
    """A settlement that Redis did not take is owed, and paid when it is back."""
    async with replica(server.url, f"p{next(_names)}") as one:
        hold = await one.budgets.reserve(Charge((on,), 100))
        server.freeze()
        one.budgets.settle(hold, 70)
        await until(lambda: not one.link.up)
        server.thaw()
        await until(lambda: one.link.up)

        async def paid() -> bool:
            return await one.spent(on) >= 70

        await until(paid)


@pytest.mark.parametrize("ahead", [False, True])
async def test_a_hold_whose_answer_was_lost_is_released(server: RedisServer, on: Account, *, ahead: bool) -> None:
    """Redis may hold an amount for a call that was decided without it; it is free once Redis is back."""
    async with replica(server.url, f"p{next(_names)}", "open", QUICK) as one:
        server.freeze()
        asked = one.budgets.ahead([Charge((on,), LIMIT)]) if ahead else None
        if asked is not None:
            await one.budgets.levels([an_account()])
            assert await asked.take(Charge((on,), LIMIT)) is None
        else:
            await one.budgets.reserve(Charge((on,), LIMIT))
        await until(lambda: not one.link.up)
        server.thaw()
        await until(lambda: one.link.up)

        await until_free(one, on)


async def test_a_hold_that_is_settled_without_redis_is_released(server: RedisServer, on: Account) -> None:
    """Whether the settlement was lost on its way or never sent; what was spent counts, and nothing is held any more."""
    async with replica(server.url, f"p{next(_names)}", options=QUICK) as one:
        lost, unsent, free = [await one.budgets.reserve(Charge((on,), 100)) for _ in range(3)]
        server.freeze()
        one.budgets.settle(lost, 70)
        await until(lambda: not one.link.up)
        one.budgets.settle(unsent, 30)
        one.budgets.settle(free, 0)
        server.thaw()
        await until(lambda: one.link.up)

        await until_free(one, on)
        assert await one.spent(on) >= 100


async def test_what_was_held_alone_is_released_when_redis_is_back(server: RedisServer, on: Account) -> None:
    """A call that outlasts the loss of Redis leaves nothing of its hold for the next loss."""
    async with replica(server.url, f"p{next(_names)}", options=QUICK) as one:
        server.kill()
        await until(lambda: not one.link.up)
        hold = await one.budgets.reserve(Charge((on,), 100))
        server.start()
        await until(lambda: one.link.up)
        one.budgets.settle(hold, 0)
        await one.budgets.levels([on])  # which is answered after the settlement
        server.kill()
        await until(lambda: not one.link.up)

        assert await one.held(on) == 0


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


# --- asked ahead ----------------------------------------------------------------------------------------------------


async def test_what_was_asked_ahead_is_held_for_the_target_that_needs_it(one: Replica, on: Account) -> None:
    """It is one hold, of the highest amount, and settled as any other."""
    ahead = await one.ahead(Charge((on,), 10), Charge((on,), 30), Charge((on,), 20))

    hold = await ahead.take(Charge((on,), 20))

    assert hold is not None
    assert await one.held(on) == 30
    one.budgets.settle(hold, 7)
    await until_free(one, on)
    assert (await one.spent(on), await ahead.take(Charge((on,), 20))) == (7, None)


async def test_what_was_asked_for_other_targets_is_given_back(one: Replica, on: Account) -> None:
    """As soon as one is chosen, the accounts of the others are free again."""
    chosen, other = an_account(), an_account()
    ahead = await one.ahead(Charge((on, chosen), 10), Charge((on, other), 10))

    hold = await ahead.take(Charge((on, chosen), 10))

    assert hold is not None
    await until_free(one, other)
    assert (await one.held(on), await one.held(chosen)) == (10, 10)


async def test_what_nobody_takes_is_given_back(one: Replica, on: Account) -> None:
    """Whether it had left (for a call that the limits refused) or not (for one that the cache answered)."""
    staying = one.budgets.ahead([Charge((on,), 7)])
    assert staying is not None
    staying.drop()
    gone = await one.ahead(Charge((on,), 10))
    held = await one.held(on)

    gone.drop()
    gone.drop()

    assert held == 10
    await until_free(one, on)


async def test_what_nothing_else_took_along_is_reserved_when_it_is_needed(one: Replica, on: Account) -> None:
    """Then the target is known, and nothing is held for others."""
    other = an_account()
    ahead = one.budgets.ahead([Charge((on,), 10), Charge((other,), 10)])
    assert ahead is not None

    hold = await ahead.take(Charge((on,), 10))

    assert (hold, await one.held(on), await one.held(other)) == (None, 0, 0)


async def test_a_refusal_ahead_is_one_where_nothing_more_was_asked(one: Replica) -> None:
    """The call is refused as by a reservation, and may go on to the next target with what was asked for that."""
    spent, fresh = an_account(), an_account()
    assert await one.spend(spent, LIMIT) == "ok"
    ahead = await one.ahead(Charge((spent,), 10), Charge((fresh,), 10))

    with pytest.raises(GatewayError) as caught:
        await ahead.take(Charge((spent,), 10))
    hold = await ahead.take(Charge((fresh,), 10))

    assert caught.value.kind is INSUFFICIENT_QUOTA
    assert hold is not None


async def test_a_refusal_of_more_than_is_needed_is_none(one: Replica, on: Account) -> None:
    """The dearest target is too dear; whether the chosen one is has to be asked."""
    ahead = await one.ahead(Charge((on,), 2 * LIMIT), Charge((on,), LIMIT))

    hold = await ahead.take(Charge((on,), LIMIT))

    assert hold is None
    assert await one.spend(on, LIMIT) == "ok"


async def test_holds_for_several_targets_do_not_refuse_each_other(one: Replica, on: Account) -> None:
    """A call never fails for what was asked on its own behalf."""
    first, second = an_account(), an_account()
    ahead = await one.ahead(Charge((on, first), LIMIT), Charge((on, second), LIMIT))

    hold = await ahead.take(Charge((on, second), LIMIT))

    assert hold is None
    await one.budgets.reserve(Charge((on, second), LIMIT))
    assert (await one.held(on), await one.held(first)) == (LIMIT, 0)


async def test_a_fallback_that_costs_more_is_not_covered(one: Replica, on: Account) -> None:
    """What was asked for less is given back before more is reserved."""
    ahead = await one.ahead(Charge((on,), LIMIT // 2))

    hold = await ahead.take(Charge((on,), LIMIT))

    assert hold is None
    assert await one.spend(on, LIMIT) == "ok"


async def test_asking_ahead_never_lets_too_much_through(shared_server: RedisServer, on: Account) -> None:
    """Nor too little, where calls ask for no more than they need; whichever replica they come to."""
    prefix = f"p{next(_names)}"

    async def call(at: Replica) -> str:
        ahead = await at.ahead(Charge((on,), 1_000), Charge((an_account(),), 1_000))
        try:
            hold = await ahead.take(Charge((on,), 1_000))
        except GatewayError as error:
            return error.kind.code
        assert hold is not None
        at.budgets.settle(hold, 1_000)
        return "ok"

    async with replica(shared_server.url, prefix) as one, replica(shared_server.url, prefix) as other:
        found = await asyncio.gather(*[call(each) for each in (one, other) for _ in range(20)])

    assert sorted(found) == [INSUFFICIENT_QUOTA.code] * 30 + ["ok"] * 10


async def test_asking_ahead_for_many_targets_holds_too_much(one: Replica) -> None:
    """Then nothing is asked ahead, nor for a call that costs nothing."""
    charges = [Charge((an_account(),), 1) for _ in range(AHEAD_MAX + 1)]

    assert (one.budgets.ahead(charges), one.budgets.ahead([])) == (None, None)


async def test_without_redis_nothing_is_asked_ahead(server: RedisServer, on: Account) -> None:
    """What was asked when it went away is decided here."""
    async with replica(server.url, f"p{next(_names)}") as one:
        server.freeze()
        ahead = one.budgets.ahead([Charge((on,), 10)])
        assert ahead is not None
        gone_with = asyncio.ensure_future(one.budgets.levels([an_account()]))
        await asyncio.sleep(0)
        await until(lambda: not one.link.up)

        hold = await ahead.take(Charge((on,), 10))
        await gone_with
        spent = await one.spend(on, 10)

        assert (hold, spent, one.budgets.ahead([Charge((on,), 10)])) == (None, "ok", None)


async def test_a_caller_who_leaves_while_it_waits_holds_nothing(one: Replica, on: Account) -> None:
    """What was asked ahead is given back like a reservation."""
    ahead = one.budgets.ahead([Charge((on,), LIMIT)])
    assert ahead is not None
    gone_with = asyncio.ensure_future(one.budgets.levels([an_account()]))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # it is on its way
    task = asyncio.ensure_future(ahead.take(Charge((on,), LIMIT)))
    await asyncio.sleep(0)
    task.cancel()
    await gone_with

    with pytest.raises(asyncio.CancelledError):
        await task

    await until_free(one, on)


async def test_what_is_decided_here_is_never_asked_ahead() -> None:
    """It takes no time."""
    local = LocalBudgets(SystemClock(), lambda _signal: None, lambda: "h")

    assert local.ahead([Charge((an_account(),), 1)]) is None
