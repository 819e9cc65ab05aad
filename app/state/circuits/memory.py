"""Circuits in the memory of this process. Nothing here waits, hence every decision is atomic under asyncio."""

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

CIRCUITS_MAX = 4096  # any model of a provider may be asked for, so the table needs an end


class MemoryCircuits:
    """
    The decisions of `Circuit` for any number of targets; those unused for longest are forgotten first.

    `now_ms` is the time at which each decision is taken, in milliseconds of one clock.
    """

    def __init__(self, circuits_max: int = CIRCUITS_MAX) -> None:
        self._circuits_max = circuits_max
        self._circuits: dict[str, Circuit] = {}

    def closed(self, target: str) -> int | None:
        """Return the generation of a circuit that is closed: the short way of `admit`, and the usual one."""
        circuit = self._circuits.pop(target, None)
        if circuit is None:
            return None
        self._circuits[target] = circuit
        return circuit.generation if circuit.state is CircuitState.CLOSED else None

    def admit(self, target: str, policy: CircuitPolicy, now_ms: int) -> Reading:
        """Let a call of `target` through, or not (see `Reading.slot`)."""
        return self._of(target, now_ms).admit(now_ms, policy)

    def report(self, target: str, policy: CircuitPolicy, finding: Finding, now_ms: int) -> Reading:
        """Take note of how calls ended."""
        return self._of(target, now_ms).report(now_ms, policy, finding)

    def succeeded(self, target: str, policy: CircuitPolicy, generation: int, now_ms: int) -> None:
        """Take note of one good answer to an ordinary call."""
        circuit = self._circuits.get(target)
        if circuit is not None:
            circuit.succeeded(now_ms, policy, generation)

    def force(self, target: str, action: Force, now_ms: int) -> Reading:
        """Do as an operator says."""
        return self._of(target, now_ms).force(now_ms, action)

    def read(self, target: str, policy: CircuitPolicy, now_ms: int) -> Reading:
        """Look at one circuit."""
        return self._circuits.get(target, Circuit(now_ms)).read(now_ms, policy)

    def names(self) -> list[str]:
        """Return the targets that have a circuit."""
        return list(self._circuits)

    def adopt(self, readings: Mapping[str, Reading], now_ms: int) -> None:
        """Forget everything and go on from where others were."""
        self._circuits.clear()
        for target, reading in readings.items():
            self._of(target, now_ms).adopt(reading, now_ms)

    def evict(self) -> str | None:
        """If there are too many, forget the one unused for longest that no operator opened, and name it."""
        if len(self._circuits) <= self._circuits_max:
            return None
        name = next((name for name, circuit in self._circuits.items() if not circuit.forced), None)
        if name is not None:
            del self._circuits[name]
        return name

    def _of(self, target: str, now_ms: int) -> Circuit:
        circuit = self._circuits.pop(target, None) or Circuit(now_ms)
        self._circuits[target] = circuit
        return circuit


class Means(msgspec.Struct, frozen=True):
    """What circuits need from their process; the announcer is one for all of them."""

    clock: Clock
    chance: Chance
    announcer: Announcer


class LocalCircuits:
    """The `Circuits` of one process."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._announcer = means.announcer
        self._circuits = MemoryCircuits()

    def closed(self, target: Target, policy: CircuitPolicy) -> Ticket | None:
        """Decide by what is known of it."""
        generation = self._circuits.closed(target.name)
        return None if generation is None else Ticket(target, policy, generation, "")

    async def admit(self, target: Target, policy: CircuitPolicy, *, last_resort: bool = False) -> Ticket:
        """Decide at once."""
        ticket = self.closed(target, policy)
        if ticket is not None:
            return ticket
        name = target.name
        now_ms = self._now_ms()
        reading = self._circuits.admit(name, policy, now_ms)
        self._announcer.changed(name, reading)
        evicted = self._circuits.evict()
        if evicted is not None:
            self._announcer.changed(evicted, Circuit(now_ms).read(now_ms, policy), FORGOTTEN)
        if reading.slot is None:
            return refuse(target, reading, policy, last_resort=last_resort)
        return Ticket(target, policy, reading.generation, reading.slot)

    def report(self, ticket: Ticket, verdict: Verdict, least_open_s: float, request_id: str = "") -> None:
        """Take note at once."""
        if not ticket.slot:
            if verdict is Verdict.IGNORED:
                return
            if verdict is Verdict.OK:
                self._circuits.succeeded(ticket.target.name, ticket.policy, ticket.generation, self._now_ms())
                return
        finding = finding_of(ticket, verdict, least_open_s, self._means)
        self.take(ticket.target.name, ticket.policy, finding, request_id)

    def take(self, target: str, policy: CircuitPolicy, finding: Finding, request_id: str = "") -> None:
        """Take note of how calls of one target ended."""
        reading = self._circuits.report(target, policy, finding, self._now_ms())
        self._announcer.changed(target, reading, None, request_id)

    async def views(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return every circuit by name."""
        return self.glance(policy)

    def glance(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return every circuit by name."""
        now_ms = self._now_ms()
        names = sorted(self._circuits.names())
        return [view_of(name, self._circuits.read(name, policy, now_ms)) for name in names]

    async def force(self, target: Target, action: Force, policy: CircuitPolicy) -> CircuitView:  # noqa: ARG002 - the port's
        """Do so at once; never fails."""
        reading = self._circuits.force(target.name, action, self._now_ms())
        self._announcer.changed(target.name, reading, FORCED)
        return view_of(target.name, reading)

    def adopt(self, readings: Mapping[str, Reading]) -> None:
        """Forget everything and go on from where shared state was when it went out of reach."""
        self._circuits.adopt(readings, self._now_ms())

    def _now_ms(self) -> int:
        return int(self._means.clock.now() * 1000)


def finding_of(ticket: Ticket, verdict: Verdict, least_open_s: float, means: Means) -> Finding:
    """Return what is to be noted of one call."""
    return Finding(
        generation=ticket.generation,
        slot=ticket.slot,
        completed=int(verdict is Verdict.OK),
        failed=int(verdict is Verdict.FAILED),
        least_open_s=least_open_s,
        shrink=1.0 - JITTER * means.chance(),
    )
