"""Every attempt is accounted for once, however it ends, and budgets leave room or refuse."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from app.core.call import Attempt, Call, Reply, Target
from app.core.errors import (
    INSUFFICIENT_QUOTA,
    INVALID_REQUEST,
    TARGET_FAILED,
    TIMEOUT_CONNECT,
    TIMEOUT_FIRST_TOKEN,
    GatewayError,
    Kind,
)
from app.core.identity import Caller
from app.core.money import Budget, nano
from app.core.pipeline import compose
from app.core.signals import BudgetReached, Signal, Spent
from app.core.spending.budgets import accounts_of
from app.core.spending.prices import Price
from app.core.stream import EventStream
from app.core.tokens import prompt_tokens
from app.core.usage import Usage
from app.stages.spend import Spend
from app.state.budgets.memory import LocalBudgets
from tests.support.calls import (
    FakeProvider,
    Line,
    Step,
    a_call,
    an_attempt,
    answers,
    asking,
    done,
    fails,
    hangs,
    raises,
    streams,
    text_of,
    thought,
    usage,
    word,
)
from tests.support.virtual_time import VirtualClock

PRICE = Price(1.0, 2.0)  # a thousand and two thousand nano-dollars a token
PROMPT = prompt_tokens(asking("x" * 40))


class House:
    """The stage with budgets in memory, around a script."""

    def __init__(
        self, *script: Step, budgets: Sequence[Budget] = (), price: Price | None = PRICE, call: Call | None = None
    ) -> None:
        self.clock = VirtualClock()
        self.told: list[Signal] = []
        ids = iter(range(100))
        self.budgets = LocalBudgets(self.clock, self.told.append, lambda: f"hold-{next(ids)}")
        self.rules = tuple(budgets)
        spend = Spend(self.rules, lambda _target: price, self.budgets, self.clock, self.told.append)
        self.provider = FakeProvider(*script)
        self._handler = compose([spend], self.provider)
        self.call = call or a_call(asking("x" * 40, max_tokens=100))

    async def run(self) -> str:
        """Make an attempt and read its answer to the end."""
        return await text_of(await self._handler(an_attempt(self.call)))

    async def open(self) -> EventStream:
        """Make an attempt whose stream is not read yet."""
        reply = await self._handler(an_attempt(self.call))
        assert isinstance(reply.body, EventStream)
        return reply.body

    async def refused(self) -> GatewayError:
        """Make an attempt that fails."""
        with pytest.raises(GatewayError) as caught:
            await self.run()
        return caught.value

    @property
    def rows(self) -> list[Spent]:
        """Return the ledger."""
        return [told for told in self.told if isinstance(told, Spent)]

    async def levels(self) -> list[tuple[int, int]]:
        """Return what is spent and held on the accounts of the call."""
        target = Target("acme", "small")
        found = await self.budgets.levels(accounts_of(self.rules, self.call, target, self.clock.wall()))
        return [(level.spent_nusd, level.held_nusd) for level in found]


def streaming() -> Call:
    """Return a call that wants a stream."""
    return a_call(asking("x" * 40, stream=True))


async def test_a_whole_answer_costs_what_it_used() -> None:
    """The row has the provider's own count, and the call knows its cost before the answer goes out."""
    house = House(answers(usage=Usage(10, 5, 15)))

    await house.run()

    (row,) = house.rows
    assert (row.usage, row.cost_nusd, row.estimated, row.outcome) == (Usage(10, 5, 15), 20_000, False, "completed")
    assert (row.key, row.route, row.provider, row.model) == ("anonymous", "fast", "acme", "small")
    assert house.call.journal.cost.usd == pytest.approx(20e-6)


async def test_a_stream_costs_what_its_last_event_says() -> None:
    """The cost is known as soon as the usage is, so that the last event of the gateway can tell it."""
    house = House(streams(Line(word("a"), usage(10, 5), done())), call=streaming())
    stream = await house.open()
    seen = [house.call.journal.cost.usd async for _ in stream]

    (row,) = house.rows

    assert (row.cost_nusd, row.estimated) == (20_000, False)
    assert seen == [None, pytest.approx(20e-6), pytest.approx(20e-6)]
    assert house.call.journal.cost.usd == pytest.approx(20e-6)


async def test_a_stream_that_is_left_is_estimated() -> None:
    """By the prompt and what was seen so far, and the row says so."""
    house = House(streams(Line(thought("y" * 8), word("z" * 4), word(), done())), call=streaming())
    stream = await house.open()
    batches = aiter(stream)
    await anext(batches)
    await anext(batches)
    await stream.aclose()

    (row,) = house.rows

    assert (row.usage, row.estimated, row.outcome) == (Usage(PROMPT, 3, PROMPT + 3), True, "abandoned")
    assert row.cost_nusd == PROMPT * 1_000 + 6_000


async def test_tool_calls_count_for_the_estimate() -> None:
    """Arguments are text that a provider charges for."""
    call = {"index": 0, "function": {"name": "f", "arguments": "a" * 20}}
    event = {"choices": [{"delta": {"tool_calls": [call, {"index": 1}]}}]}
    frame = word()
    chunk = msgspec.convert(event, type(frame.chunk)) if frame.chunk is not None else None
    house = House(streams(Line(msgspec.structs.replace(frame, chunk=chunk), done())), call=streaming())

    await text_of_stream(await house.open())

    assert house.rows[0].usage.completion_tokens == 5


async def text_of_stream(stream: EventStream) -> None:
    """Read a stream to its end."""
    async for _ in stream:
        pass


@pytest.mark.parametrize("kind", [TARGET_FAILED, INVALID_REQUEST, TIMEOUT_CONNECT])
async def test_a_refusal_costs_nothing(kind: object) -> None:
    """Providers charge for answers."""
    house = House(fails(kind))  # type: ignore[arg-type]  # a row of the table

    await house.refused()

    assert house.rows == []
    assert house.call.journal.cost.usd is None


async def test_a_target_that_worked_in_silence_is_paid_for_the_prompt() -> None:
    """Who gave up waiting does not know what it cost; the prompt was read at least."""
    house = House(fails(TIMEOUT_FIRST_TOKEN))

    await house.refused()

    (row,) = house.rows
    assert (row.usage, row.estimated, row.outcome) == (Usage(PROMPT, 0, PROMPT), True, "failed")


async def test_a_caller_who_leaves_pays_for_the_prompt() -> None:
    """The request was with the provider when it was cancelled."""
    house = House(hangs())
    task = asyncio.ensure_future(house.run())
    await asyncio.sleep(1.0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert [(row.usage.prompt_tokens, row.outcome) for row in house.rows] == [(PROMPT, "abandoned")]


@pytest.mark.parametrize("kind", [TARGET_FAILED, TIMEOUT_FIRST_TOKEN])
async def test_what_a_stream_used_before_it_failed_is_charged(kind: Kind) -> None:
    """A provider that says so and then dies before its first word is believed, and only for that attempt."""

    async def dies(call: Call) -> Reply:
        call.journal.unshown = Usage(10, 0, 10)
        raise GatewayError(kind, "gone")

    house = House(dies, fails(TARGET_FAILED), answers(usage=Usage(1, 1, 2)))
    await house.refused()
    await house.refused()
    await house.run()

    assert [(row.usage, row.estimated) for row in house.rows] == [(Usage(10, 0, 10), False), (Usage(1, 1, 2), False)]


async def test_a_bug_costs_nothing() -> None:
    """What failed on this side of the provider is nobody's bill."""
    house = House(raises(ValueError("bug")))

    with pytest.raises(ValueError, match="bug"):
        await house.run()

    assert house.rows == []


async def test_what_never_became_a_request_has_no_row() -> None:
    """A refusal below, without a word to the provider, is none of its business."""

    async def refuse(_attempt: Attempt) -> object:
        raise asyncio.CancelledError

    house = House()
    spend = Spend((), lambda _target: PRICE, house.budgets, house.clock, house.told.append)
    handler = compose([spend], refuse)  # type: ignore[arg-type]  # it never returns

    with pytest.raises(asyncio.CancelledError):
        await handler(an_attempt(house.call))

    assert house.rows == []


async def test_an_unknown_price_is_unknown_and_not_nothing() -> None:
    """The tokens are counted, the cost is not, and no budget is asked."""
    house = House(answers(usage=Usage(10, 5, 15)), price=None, budgets=[Budget("b", 1)])

    await house.run()

    assert house.rows[0].cost_nusd is None
    assert house.call.journal.cost.usd is None
    assert await house.levels() == [(0, 0)]


async def test_retries_add_up() -> None:
    """Each try has a row of its own, and the call costs their sum."""
    house = House(answers(usage=Usage(10, 5, 15)), answers(usage=Usage(10, 5, 15)))

    await house.run()
    await house.run()

    assert len(house.rows) == 2
    assert house.call.journal.cost.usd == pytest.approx(40e-6)


async def test_a_budget_holds_the_most_and_settles_the_truth() -> None:
    """While the call runs its whole estimate is held; afterwards only what it cost is spent."""
    house = House(answers(usage=Usage(10, 5, 15), after_s=1.0), budgets=[Budget("b", nano(1.0))])
    task = asyncio.ensure_future(house.run())
    await asyncio.sleep(0.5)

    meanwhile = await house.levels()
    await task

    assert meanwhile == [(0, PROMPT * 1_000 + 200_000)]
    assert await house.levels() == [(20_000, 0)]


async def test_an_answer_without_a_bound_is_held_for_a_usual_one() -> None:
    """Nobody's max_tokens is forced."""
    call = a_call(asking("x" * 40))
    house = House(answers(usage=Usage(10, 5, 15), after_s=1.0), budgets=[Budget("b", nano(1.0))], call=call)
    task = asyncio.ensure_future(house.run())
    await asyncio.sleep(0.5)

    assert await house.levels() == [(0, PROMPT * 1_000 + 1024 * 2_000)]
    await task


async def test_a_budget_without_room_refuses() -> None:
    """The provider is not asked, nothing is held, and the refusal names the budget and its period's end."""
    house = House(answers(), budgets=[Budget("team", 209_999)])

    error = await house.refused()

    assert (error.kind, house.provider.asked) == (INSUFFICIENT_QUOTA, [])
    assert "The budget 'team' of $0.000209999 per month leaves no room for this call." in error.message
    assert error.retry_after_s is not None
    assert await house.levels() == [(0, 0)]


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        (Budget("b", 1, period="total"), "in all"),
        (Budget("b", 1, window_s=60.0), "in 60 s"),
        (Budget("b", 1, period="day"), "per day"),
    ],
)
async def test_the_refusal_says_how_long_it_holds(budget: Budget, words: str) -> None:
    """A rolling window and a total have no end to wait for."""
    error = await House(answers(), budgets=[budget]).refused()

    assert words in error.message
    assert (error.retry_after_s is None) == (budget.period != "day")


async def test_a_soft_budget_only_tells() -> None:
    """Calls go on, and every share of it is told once."""
    used = Usage(10, 5, 15)
    house = House(answers(usage=used), answers(usage=used), budgets=[Budget("b", 40_000, hard=False)])

    await house.run()
    await house.run()

    told = [(each.share, each.spent_usd) for each in house.told if isinstance(each, BudgetReached)]
    assert told == [(0.5, 20e-6), (0.8, 40e-6), (1.0, 40e-6)]


async def test_free_targets_need_no_budget() -> None:
    """A spent budget does not keep anybody from a model of one's own."""
    house = House(answers(usage=Usage(10, 5, 15)), price=Price(), budgets=[Budget("b", 1)])

    await house.run()

    assert house.rows[0].cost_nusd == 0


async def test_the_budgets_of_a_key_come_with_it() -> None:
    """They hold beside those for everybody."""
    caller = Caller("key-1", "key-1", budgets=(Budget("own", 1, ("key",)),))
    house = House(answers(), call=msgspec.structs.replace(a_call(), caller=caller))

    error = await house.refused()

    assert "'own'" in error.message
