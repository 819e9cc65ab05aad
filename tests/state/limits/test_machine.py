"""Whatever happens in whatever order: no window holds more than it may, and both adapters do the same."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from app.core.gcra import US_PER_S
from app.core.rules import Ask, Decision
from tests.state.hand import Hand
from tests.state.limits.limiting import HOLD_S, Deciding, InMemory, ask, claim, in_redis, places, requests, tokens
from tests.support.redis_server import RedisServer
from tests.support.windows import worst_excess

CALLS, TOKENS, PLACES = requests(20, 10, burst=6), tokens(1000, 10, burst=700), places(4)


class _Call(msgspec.Struct, eq=False):
    """A call that was admitted: when, with what reservation, and what it turned out to need."""

    decisions: list[Decision]
    at_us: int
    reserved: int
    needed: int
    leaves_us: int


class Machine(RuleBasedStateMachine):
    """Calls come and end, some are never heard of again, and time passes."""

    port: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand()
        self.history: list[_Call] = []
        self.under_way: list[_Call] = []
        self.holding: list[_Call] = []
        self.loop = asyncio.new_event_loop()
        self.opened = AsyncExitStack()
        self.adapters: list[Deciding] = [InMemory(self.hand)]
        if self.port is not None:
            self.adapters.append(self.run(self.opened.enter_async_context(in_redis(self.port, self.hand))))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work returns
        """Do something that waits."""
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        """Close what was opened."""
        self.run(self.opened.aclose())
        self.loop.close()

    def decide(self, asked: Ask) -> list[Decision]:
        """Ask every adapter; they have to agree."""
        decisions = [self.run(adapter.acquire(asked)) for adapter in self.adapters]
        assert 1 == len({_told(decision) for decision in decisions})
        return decisions

    def levels(self) -> list[tuple[int, ...]]:
        """Look at all buckets."""
        claims = [claim(each) for each in (CALLS, TOKENS, PLACES)]
        return [tuple(self.run(adapter.read(each)).used for each in claims) for adapter in self.adapters]

    @rule(seconds=st.sampled_from([0.001, 0.3, 1.0, 2.5, 10.0, 29.999, 31.0]))
    def pass_time(self, seconds: float) -> None:
        """Let some time pass."""
        self.hand.pass_s(seconds)
        self.holding = [call for call in self.holding if call.leaves_us > self.hand.now_us]

    @rule(units=st.integers(1, 700))
    def begin(self, units: int) -> None:
        """A call asks for a request, tokens and a place."""
        before = self.levels()
        decisions = self.decide(ask(claim(CALLS), claim(TOKENS, units), claim(PLACES)))

        if not decisions[0].admitted:
            assert before == self.levels()
            assert all(decision.refusal is not None for decision in decisions)
            return
        assert len(self.holding) < PLACES.most
        leaves_us = self.hand.now_us + round(HOLD_S * US_PER_S)
        call = _Call(decisions, self.hand.now_us, units, units, leaves_us)
        for calls in (self.history, self.under_way, self.holding):
            calls.append(call)

    @rule(units=st.integers(1, 700))
    def wait_and_begin(self, units: int) -> None:
        """A call without a place comes exactly when it was told to."""
        asked = ask(claim(CALLS), claim(TOKENS, units))
        decisions = self.decide(asked)
        if decisions[0].refusal is not None:
            self.hand.now_us += decisions[0].refusal.wait_us
            self.pass_time(0.0)
            decisions = self.decide(asked)
        assert decisions[0].admitted
        self.history.append(_Call(decisions, self.hand.now_us, units, units, 0))

    @precondition(lambda self: self.under_way)
    @rule(choice=st.integers(0, 1000), percent=st.sampled_from([0, 10, 50, 100, 100, 130]))
    def end(self, choice: int, percent: int) -> None:
        """One of the calls under way ends, having needed less than it reserved, or more."""
        call = self.under_way.pop(choice % len(self.under_way))
        needed = call.reserved * percent // 100
        for adapter, decision in zip(self.adapters, call.decisions, strict=True):
            self.run(adapter.settle(decision, needed))
        call.needed = min(needed, call.reserved)  # what goes beyond is owed, and delays those that come after
        self.holding = [each for each in self.holding if each is not call]

    @precondition(lambda self: self.under_way)
    @rule(choice=st.integers(0, 1000))
    def crash(self, choice: int) -> None:
        """One of the calls under way is never heard of again."""
        self.under_way.pop(choice % len(self.under_way))

    @invariant()
    def adapters_agree(self) -> None:
        """Buckets and places stand alike everywhere, and the places are those of the calls that hold one."""
        levels = self.levels()

        assert 1 == len(set(levels))
        assert len(self.holding) == levels[0][2]

    @invariant()
    def no_window_is_exceeded(self) -> None:
        """Neither in requests nor in tokens that were truly used."""
        assert CALLS.rate is not None
        assert TOKENS.rate is not None
        assert worst_excess([(call.at_us, 1) for call in self.history], CALLS.rate) <= 0
        assert worst_excess([(call.at_us, call.needed) for call in self.history], TOKENS.rate) <= 0


def _told(decision: Decision) -> tuple[object, ...]:
    return decision.admitted, tuple((each.wait_us, each.used) for each in decision.standings)


def test_the_memory_keeps_the_bounds() -> None:
    """Many short stories."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


@pytest.mark.usefixtures("shared_server")
def test_redis_does_as_the_memory_does(shared_server: RedisServer) -> None:
    """Fewer stories, told to a real server as well."""
    on_redis = type("OnRedis", (Machine,), {"port": shared_server.port})

    run_state_machine_as_test(
        on_redis,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
