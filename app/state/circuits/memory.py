"""Circuits in the memory of this process. Nothing here awaits, hence every decision is atomic under asyncio."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from app.core.call import Target
from app.core.circuits import CircuitPolicy, CircuitState, CircuitView, Force, Ticket, Verdict
from app.core.clock import Clock
from app.core.ports import Chance
from app.state.circuits.announcer import FORCED, FORGOTTEN, Announcer
from app.state.circuits.circuit import JITTER, Circuit, Finding, Reading
from app.state.circuits.views import refuse, view_of

CIRCUITS_MAX = 4096  # callers can ask for any model, so the table must be bounded


class Means(msgspec.Struct, frozen=True):
    """What circuits need from their process; all share one announcer."""

    clock: Clock
    chance: Chance
    announcer: Announcer


class LocalCircuits:
    """The `Circuits` of one process; the least recently used are forgotten first."""

    def __init__(self, means: Means, circuits_max: int = CIRCUITS_MAX) -> None:
        self.means = means
        self._circuits_max = circuits_max
        self._circuits: dict[str, Circuit] = {}

    def closed(self, target: Target, policy: CircuitPolicy) -> Ticket | None:
        """Decide by the present state."""
        circuit = self._circuits.pop(target.name, None)
        if circuit is None:
            return None
        self._circuits[target.name] = circuit
        return Ticket(target, policy, circuit.generation, "") if circuit.state is CircuitState.CLOSED else None

    async def admit(self, target: Target, policy: CircuitPolicy, *, last_resort: bool = False) -> Ticket:
        """Decide at once."""
        ticket = self.closed(target, policy)
        if ticket is not None:
            return ticket
        now_ms = self._now_ms()
        reading = self._of(target.name, now_ms).admit(now_ms, policy)
        self.means.announcer.changed(target.name, reading)
        self._forget_one(now_ms, policy)
        if reading.slot is None:
            return refuse(target, reading, policy, last_resort=last_resort)
        return Ticket(target, policy, reading.generation, reading.slot)

    def report(self, ticket: Ticket, verdict: Verdict, least_open_s: float, request_id: str = "") -> None:
        """Count at once."""
        if not ticket.slot and verdict is not Verdict.FAILED:
            circuit = self._circuits.get(ticket.target.name)
            if circuit is not None and verdict is Verdict.OK:
                circuit.succeeded(self._now_ms(), ticket.policy, ticket.generation)
            return
        finding = finding_of(ticket, verdict, least_open_s, self.means)
        self.take(ticket.target.name, ticket.policy, finding, request_id)

    def take(self, target: str, policy: CircuitPolicy, finding: Finding, request_id: str = "") -> None:
        """Count the outcomes of one target's calls."""
        now_ms = self._now_ms()
        reading = self._of(target, now_ms).report(now_ms, policy, finding)
        self.means.announcer.changed(target, reading, None, request_id)

    async def views(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return every circuit by name."""
        return self.glance(policy)

    def glance(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return every circuit by name."""
        now_ms = self._now_ms()
        return [view_of(name, circuit.read(now_ms, policy)) for name, circuit in sorted(self._circuits.items())]

    async def force(self, target: Target, action: Force, policy: CircuitPolicy) -> CircuitView:  # noqa: ARG002 - the port's
        """Do so at once; never fails."""
        now_ms = self._now_ms()
        reading = self._of(target.name, now_ms).force(now_ms, action)
        self.means.announcer.changed(target.name, reading, FORCED)
        return view_of(target.name, reading)

    def adopt(self, readings: Mapping[str, Reading]) -> None:
        """Replace everything by the last known shared state."""
        now_ms = self._now_ms()
        self._circuits.clear()
        for target, reading in readings.items():
            self._of(target, now_ms).adopt(reading, now_ms)

    def _of(self, target: str, now_ms: int) -> Circuit:
        circuit = self._circuits.pop(target, None) or Circuit(now_ms)
        self._circuits[target] = circuit
        return circuit

    def _forget_one(self, now_ms: int, policy: CircuitPolicy) -> None:
        """If there are too many, forget the least recently used one that no operator opened."""
        if len(self._circuits) > self._circuits_max:
            name = next((name for name, circuit in self._circuits.items() if not circuit.forced), None)
            if name is not None:
                del self._circuits[name]
                self.means.announcer.changed(name, Circuit(now_ms).read(now_ms, policy), FORGOTTEN)

    def _now_ms(self) -> int:
        return int(self.means.clock.now() * 1000)


def finding_of(ticket: Ticket, verdict: Verdict, least_open_s: float, means: Means) -> Finding:
    """Return the outcome of one call."""
    return Finding(
        generation=ticket.generation,
        slot=ticket.slot,
        completed=int(verdict is Verdict.OK),
        failed=int(verdict is Verdict.FAILED),
        least_open_s=least_open_s,
        shrink=1.0 - JITTER * means.chance(),
    )
