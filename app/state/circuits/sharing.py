"""
Circuits that replicas share: decided in Redis, mirrored here.

A call whose circuit is closed needs no round trip: the mirror is as old as the last beat of the link, or as the last
failure that this process reported. Only a call that might become a probe waits for Redis. Outcomes are reported in the
background, successes in sums. While Redis is out of reach this process decides alone (`fail`), starting from the
mirror; generations separate these decisions from those that count again once Redis is back.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from app.core.call import Target
from app.core.circuits import NO_GENERATION, CircuitPolicy, CircuitState, CircuitView, Force, Ticket, Verdict
from app.state.circuits.announcer import FORCED
from app.state.circuits.circuit import Finding, Reading
from app.state.circuits.memory import LocalCircuits, finding_of
from app.state.circuits.mirror import CLOSED, Mirror
from app.state.circuits.redis import Probe, RedisCircuits, reading_of
from app.state.circuits.views import refuse, view_of
from app.state.link import Fail, Follower, Link, StateLostError, arrived, out_of_reach

ADD_UP_S = 0.25  # successes are summed for this long, so that a busy target costs four commands a second
WINDOWS_BEATS = 10  # windows are read every five seconds, states with each beat
NAMES_MAX = 512  # closed circuits shown to operators; callers can ask for any model


class _Tally(msgspec.Struct):
    """Successes of one generation that are not reported yet."""

    policy: CircuitPolicy
    generation: int
    completed: int


class SharedCircuits(Follower):
    """The `Circuits` of one replica among several; follows `link`."""

    def __init__(self, link: Link, local: LocalCircuits, fail: Fail) -> None:
        self._store = RedisCircuits(link.submit, link.key_prefix)
        self._link = link
        self._local = local
        self._means = local.means
        self._fail = fail
        self._mirror = Mirror(local.means)
        self._tallies: dict[str, _Tally] = {}
        self._names: dict[str, CircuitPolicy] = {}
        self._probes: set[Probe] = set()
        self._windows: dict[str, tuple[int, int]] = {}
        self._beats = 0
        link.follow(self)

    # --- for calls -----------------------------------------------------------------------------------------------

    def closed(self, target: Target, policy: CircuitPolicy) -> Ticket | None:
        """Decide by the mirror."""
        if not self._link.up:
            return None
        generation = self._mirror.generation(target.name)
        return None if generation is None else Ticket(target, policy, generation, "")

    async def admit(self, target: Target, policy: CircuitPolicy, *, last_resort: bool = False) -> Ticket:
        """Decide by the mirror if the circuit is closed or certainly open; otherwise ask Redis."""
        if not self._link.up:
            return await self._alone(target, policy, last_resort=last_resort)
        ticket = self.closed(target, policy)
        if ticket is not None:
            return ticket
        try:
            reading = self._mirror.refusal(target.name) or await self._ask(target, policy)
        except StateLostError:
            return await self._alone(target, policy, last_resort=last_resort)
        if reading.slot is None:
            return refuse(target, reading, policy, last_resort=last_resort)
        return Ticket(target, policy, reading.generation, reading.slot)

    def report(self, ticket: Ticket, verdict: Verdict, least_open_s: float, request_id: str = "") -> None:
        """Add up a success, or report any other outcome at once."""
        if ticket.slot:
            self._probes.discard((ticket.target.name, ticket.generation, ticket.slot))
        elif verdict is Verdict.IGNORED:
            return
        if not self._link.up:
            finding = finding_of(ticket, verdict, least_open_s, self._means)
            self._keep(ticket.target.name, ticket.policy, finding, request_id)
        elif verdict is Verdict.OK and not ticket.slot:
            self._add_up(ticket)
        else:
            name = ticket.target.name
            self._send_tally(name)  # first, so that the failure ratio includes all calls so far
            self._send(name, ticket.policy, finding_of(ticket, verdict, least_open_s, self._means), request_id)

    # --- for operators -------------------------------------------------------------------------------------------

    async def views(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return the circuits from Redis, or else from this process."""
        if not self._link.up:
            return await self._local.views(policy)
        names = sorted({*self._mirror.readings(), *self._names})
        try:
            readings = await asyncio.gather(*(self._store.read(name, policy) for name in names))
        except StateLostError:
            return await self._local.views(policy)
        return [view_of(name, reading) for name, reading in zip(names, readings, strict=True)]

    def glance(self, policy: CircuitPolicy) -> list[CircuitView]:
        """Return the circuits as of the last beats, or else this process's own."""
        if not self._link.up:
            return self._local.glance(policy)
        mirror, windows = self._mirror.readings(), dict(self._windows)
        return [
            _glimpse(name, mirror.get(name, CLOSED), windows.get(name, (0, 0))) for name in sorted({*mirror, *windows})
        ]

    async def force(self, target: Target, action: Force, policy: CircuitPolicy) -> CircuitView:  # noqa: ARG002 - the port's
        """Apply an operator's order in Redis, and so at every replica."""
        try:
            reading = await self._store.over(self._link.operate).force(target.name, action)
        except StateLostError as error:
            raise out_of_reach("The circuits are shared through", "; nothing was changed") from error
        self._mirror.take(target.name, reading, FORCED)
        return view_of(target.name, reading)

    # --- for the link --------------------------------------------------------------------------------------------

    async def beat(self) -> None:
        """Apply the decisions of replicas; this replica's probes in progress keep their slots."""
        self._mirror.renew(await self._store.every(self._probes))
        if self._beats % WINDOWS_BEATS == 0:
            await self._look_at_windows()
        self._beats += 1

    def lost(self) -> None:
        """Continue without Redis, from the mirror."""
        self._tallies.clear()
        self._local.adopt(self._mirror.readings())

    async def _look_at_windows(self) -> None:
        """Read the windows of the closed circuits that this process has reported on; all in one pipeline."""
        names = list(self._names.items())
        readings = await asyncio.gather(*(self._store.read(name, policy) for name, policy in names))
        self._windows = {
            name: (reading.failures, reading.calls) for (name, _), reading in zip(names, readings, strict=True)
        }

    async def _alone(self, target: Target, policy: CircuitPolicy, *, last_resort: bool) -> Ticket:
        match self._fail:
            case "local":
                return await self._local.admit(target, policy, last_resort=last_resort)
            case "open":
                return Ticket(target, policy, NO_GENERATION, "")
            case "closed":
                raise out_of_reach("Circuits are shared through")

    async def _ask(self, target: Target, policy: CircuitPolicy) -> Reading:
        asked = asyncio.ensure_future(self._store.admit(target.name, policy))
        try:
            reading: Reading = await self._link.ask(asked)
        except asyncio.CancelledError:
            asked.add_done_callback(lambda answer: self._give_back(target, policy, answer))
            raise
        self._mirror.take(target.name, reading, None)
        if reading.slot:
            self._probes.add((target.name, reading.generation, reading.slot))
        return reading

    def _give_back(self, target: Target, policy: CircuitPolicy, answer: asyncio.Future[Reading]) -> None:
        """Free the slot of a probe whose caller left before it was granted."""
        if arrived(answer) and answer.result().slot:
            reading = answer.result()
            self._send(target.name, policy, Finding(reading.generation, reading.slot or ""))

    def _add_up(self, ticket: Ticket) -> None:
        name = ticket.target.name
        tally = self._tallies.get(name)
        if tally is not None and tally.generation == ticket.generation:
            tally.completed += 1
            return
        if tally is not None:
            self._send_tally(name)
        elif not self._tallies:
            asyncio.get_running_loop().call_later(ADD_UP_S, self._send_tallies)
        self._tallies[name] = _Tally(ticket.policy, ticket.generation, 1)

    def _send_tallies(self) -> None:
        for name in list(self._tallies):
            self._send_tally(name)

    def _send_tally(self, name: str) -> None:
        tally = self._tallies.pop(name, None)
        if tally is not None:
            self._send(name, tally.policy, Finding(tally.generation, completed=tally.completed))

    def _send(self, name: str, policy: CircuitPolicy, finding: Finding, request_id: str = "") -> None:
        if name in self._names or len(self._names) < NAMES_MAX:
            self._names[name] = policy

        def answered(answer: asyncio.Future[Any]) -> None:
            if answer.cancelled():
                return
            if answer.exception() is None:
                self._mirror.take(name, reading_of(answer.result()), None, request_id)
            else:
                self._keep(name, policy, finding, request_id)

        self._store.reporting(name, policy, finding).add_done_callback(answered)

    def _keep(self, name: str, policy: CircuitPolicy, finding: Finding, request_id: str) -> None:
        """Count outcomes that Redis did not record, while this process decides alone."""
        if self._fail == "local" and not self._link.up:
            self._local.take(name, policy, finding, request_id)


def _glimpse(name: str, reading: Reading, window: tuple[int, int]) -> CircuitView:
    failures, calls = window if reading.state is CircuitState.CLOSED else (0, 0)  # entering a state empties the window
    return view_of(name, msgspec.structs.replace(reading, failures=failures, calls=calls))
