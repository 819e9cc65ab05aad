"""Whatever happens in whatever order, both adapters do what the small model says."""

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

from app.state.circuits.circuit import Finding, Reading
from tests.state.circuits.decisions import POLICY, Decisions, InMemory, in_redis
from tests.state.circuits.model import Model
from tests.state.hand import Hand
from tests.support.redis_server import RedisServer

TARGET = "acme/small"


class _Call(msgspec.Struct, eq=False):
    """A call that was admitted: what the adapter gave it, and the period in which the model admitted it."""

    admitted: Reading
    period: int


class Machine(RuleBasedStateMachine):
    """Calls come and end, time passes, operators interfere."""

    port: int | None = None

    def __init__(self) -> None:
        super().__init__()
        self.hand = Hand()
        self.model = Model(POLICY)
        self.calls: list[_Call] = []
        self.loop = asyncio.new_event_loop()
        self.opened = AsyncExitStack()
        self.circuits: Decisions = InMemory(self.hand)
        if self.port is not None:
            self.circuits = self.run(self.opened.enter_async_context(in_redis(self.port, self.hand)))

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - whatever the work returns
        """Do something that waits."""
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        """Close what was opened."""
        self.run(self.opened.aclose())
        self.loop.close()

    @rule(seconds=st.sampled_from([0.001, 0.5, 1.0, 5.0, 9.999, 10.0, 13.0, 61.0]))
    def pass_time(self, seconds: float) -> None:
        """Let some time pass."""
        self.hand.pass_s(seconds)

    @rule()
    def begin(self) -> None:
        """A call asks to be let through."""
        admitted = self.run(self.circuits.admit(TARGET, POLICY))
        call = _Call(admitted, self.model.period)

        expected = self.model.admit(self.hand.now_ms, call)

        assert expected == (admitted.slot is not None)
        if expected:
            self.calls.append(call)

    @precondition(lambda self: self.calls)
    @rule(choice=st.integers(0, 1000), verdict=st.sampled_from(["ok", "failed", "failed", "ignored"]))
    def end(self, choice: int, verdict: str) -> None:
        """One of the calls under way ends."""
        call = self.calls.pop(choice % len(self.calls))
        finding = Finding(
            call.admitted.generation,
            call.admitted.slot or "",
            completed=int(verdict == "ok"),
            failed=int(verdict == "failed"),
        )
        self.run(self.circuits.report(TARGET, POLICY, finding))
        self.model.report(self.hand.now_ms, call, call.period, verdict)

    @rule(action=st.sampled_from(["open", "close", "reset"]))
    def force(self, action: Any) -> None:  # noqa: ANN401 - one of three words
        """An operator interferes."""
        self.run(self.circuits.force(TARGET, action))
        self.model.force(action)

    @invariant()
    def agrees(self) -> None:
        """State, force and the time to wait are those of the model."""
        reading = self.run(self.circuits.read(TARGET, POLICY))

        waits = self.model.state == "open" and not self.model.forced
        wait_ms = max(0, self.model.opens_till - self.hand.now_ms) if waits else 0
        assert (self.model.state, self.model.forced, wait_ms) == (reading.state.value, reading.forced, reading.wait_ms)

    @invariant()
    def probes_are_bounded(self) -> None:
        """No more probes hold a place than there are places."""
        assert len(self.model.probes) <= POLICY.half_open_max_calls


def test_the_memory_follows_the_model() -> None:
    """Many short stories."""
    run_state_machine_as_test(Machine, settings=settings(max_examples=150, stateful_step_count=40, deadline=None))


@pytest.mark.usefixtures("shared_server")
def test_redis_follows_the_model(shared_server: RedisServer) -> None:
    """Fewer stories, told to a real server."""
    on_redis = type("OnRedis", (Machine,), {"port": shared_server.port})

    run_state_machine_as_test(
        on_redis,
        settings=settings(
            max_examples=60, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow]
        ),
    )
