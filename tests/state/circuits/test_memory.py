"""The circuits of one process: bounded in number, and told of once for each change."""

from __future__ import annotations

import pytest

from app.core.call import Target
from app.core.circuits import CircuitPolicy, CircuitState, Ticket, Verdict
from app.core.clock import SystemClock
from app.core.errors import CIRCUIT_OPEN, GatewayError
from app.core.signals import CircuitChanged, Signal
from app.state.circuits.announcer import Announcer
from app.state.circuits.circuit import Circuit, Finding
from app.state.circuits.memory import CIRCUITS_MAX, LocalCircuits, Means

POLICY = CircuitPolicy(
    failure_threshold=1, window_s=60.0, failure_ratio=0.5, open_s=60.0, open_max_s=60.0, half_open_max_calls=1
)


class Local:
    """Circuits in memory, and what was told of them."""

    def __init__(self, circuits_max: int = CIRCUITS_MAX) -> None:
        self.told: list[Signal] = []
        means = Means(SystemClock(), lambda: 0.5, Announcer(self.told.append))
        self.circuits = LocalCircuits(means, circuits_max)

    async def call(self, model: str, verdict: Verdict = Verdict.OK) -> str:
        """Make one call; return `passed` or the code of the refusal."""
        try:
            ticket = await self.circuits.admit(Target("acme", model), POLICY)
        except GatewayError as error:
            return error.kind.code
        self.circuits.report(ticket, verdict, 0.0)
        return "passed"

    def changes(self) -> list[tuple[str, str, str]]:
        """Return model, state and reason of each change."""
        return [(told.model, told.now, told.reason) for told in self.told if isinstance(told, CircuitChanged)]


async def test_the_number_of_circuits_is_bounded() -> None:
    """The one unused for longest goes, and listeners who take it for open hear of it."""
    local = Local()
    await local.call("first", Verdict.FAILED)

    for number in range(CIRCUITS_MAX):
        await local.call(f"m{number}")

    assert CIRCUITS_MAX == len(await local.circuits.views(POLICY))
    assert [("first", "open", "failures"), ("first", "closed", "forgotten")] == local.changes()
    assert "passed" == await local.call("first")


async def test_a_circuit_that_an_operator_opened_is_not_forgotten() -> None:
    """However many names callers make up."""
    local = Local()
    await local.circuits.force(Target("acme", "forced"), "open", POLICY)

    for number in range(CIRCUITS_MAX + 1):
        await local.call(f"m{number}")

    assert "circuit_open" == await local.call("forced")


async def test_nothing_is_forgotten_while_all_are_forced() -> None:
    """An operator's word beats the bound, and a circuit that is only closed goes at once."""
    local = Local(circuits_max=1)
    for name in ("one", "two"):
        await local.circuits.force(Target("acme", name), "open", POLICY)

    said = await local.call("one"), await local.call("three")

    assert said == ("circuit_open", "passed")
    assert ["acme/one", "acme/two"] == [view.target for view in await local.circuits.views(POLICY)]


async def test_views_are_sorted_and_true() -> None:
    """An operator sees what counts: good and bad calls, not the ignored ones."""
    local = Local()
    for model in ("b", "a"):
        for verdict in (Verdict.OK, Verdict.OK, Verdict.IGNORED):
            await local.call(model, verdict)

    views = await local.circuits.views(POLICY)

    assert [("acme/a", 0, 2), ("acme/b", 0, 2)] == [(view.target, view.failures, view.calls) for view in views]
    assert {(CircuitState.CLOSED, False, 0.0)} == {(view.state, view.forced, view.wait_s) for view in views}


async def test_a_late_good_answer_does_not_count_after_the_circuit_opened() -> None:
    """Neither in an open circuit nor for one that was forgotten."""
    local = Local()
    slow = await local.circuits.admit(Target("acme", "a"), POLICY)
    await local.call("a", Verdict.FAILED)

    local.circuits.report(slow, Verdict.OK, 0.0)

    assert "circuit_open" == await local.call("a")


async def test_a_good_answer_for_an_unknown_circuit_is_dropped() -> None:
    """It was forgotten meanwhile."""
    local = Local()

    local.circuits.report(Ticket(Target("acme", "gone"), POLICY, 0, ""), Verdict.OK, 0.0)

    assert [] == await local.circuits.views(POLICY)


async def test_the_refusal_of_a_forced_circuit_hints_at_a_time() -> None:
    """Nobody knows when it will be closed, so callers are asked to come back after the usual time."""
    local = Local()
    target = Target("acme", "a")
    await local.circuits.force(target, "open", POLICY)

    with pytest.raises(GatewayError, match="operator") as caught:
        await local.circuits.admit(target, POLICY)

    assert (CIRCUIT_OPEN, POLICY.open_s) == (caught.value.kind, caught.value.retry_after_s)


def test_old_buckets_of_a_window_are_let_go() -> None:
    """A target that is always busy does not grow."""
    circuit = Circuit(0)

    for minute in range(1000):
        circuit.report(minute * 5000, POLICY, Finding(0, completed=1))

    reading = circuit.read(999 * 5000, POLICY)
    assert (0, 12) == (reading.failures, reading.calls)
