"""
Bound the calls in flight, and queue a bounded number of others until there is room.

A call that finds room costs two comparisons: no task, future or timer is created before a call has to wait.
"""

from __future__ import annotations

import asyncio
from functools import partial
from types import MappingProxyType
from typing import Final, NoReturn

import msgspec

from app.core.call import Call, Reply
from app.core.clock import Clock
from app.core.errors import OVERLOADED, GatewayError
from app.core.outcome import End, Outcome
from app.core.pipeline import Handler, settle
from app.core.ports import Chance
from app.core.signals import AdmissionLimitChanged, CallQueued, CallShed, CallUnqueued, Listener, Overloaded
from app.core.traffic.admission import Bounds, Gate, Ticket, Verdict

LEAST_LEFT_S = 0.05  # a waiting call is refused so long before its deadline; admitted later, it could not be answered
RETRY_AFTER_MIN_S = 1.0
RETRY_AFTER_MAX_S = 30.0  # SDKs honour a minute at most
_REPORT_EVERY_S = 1.0
_QUEUE_FULL = "queue_full"
_REFUSED: Final = MappingProxyType(
    {
        _QUEUE_FULL: "the queue is full",
        Verdict.PUSHED_OUT.value: "a call that goes first took its place in the queue",
        Verdict.TOO_LATE.value: "the time for which this one could wait is over",
    }
)


class AdmissionOptions(msgspec.Struct, frozen=True):
    """The bounds of the gate, and the longest time in the queue."""

    bounds: Bounds
    queue_wait_s: float


class Admission:
    """Hold a slot for each call until its last byte."""

    def __init__(self, options: AdmissionOptions, gate: Gate, clock: Clock, chance: Chance, listener: Listener) -> None:
        self._options = options
        self._gate = gate
        self._clock = clock
        self._chance = chance
        self._listener = listener
        self._reported_limit = -1
        self._shed = 0
        self._reported_at = -_REPORT_EVERY_S

    async def __call__(self, call: Call, proceed: Handler[Call]) -> Reply:
        """
        Run the call once there is room.

        Raises:
            GatewayError: OVERLOADED.
        """
        if not self._gate.enter(self._options.bounds):
            await self._wait(call)
        stay = _Stay(call, self._gate, self._clock, adaptive=self._options.bounds.adaptive)
        if self._gate.limit != self._reported_limit:
            self._reported_limit = self._gate.limit
            self._listener(AdmissionLimitChanged(self._reported_limit))
        reply = await settle(call, proceed, stay.close)
        stay.answered()
        return reply

    async def _wait(self, call: Call) -> None:
        """Return once the call has a slot; raise OVERLOADED if it gets none."""
        began, priority = self._clock.now(), call.priority
        give_up_at = min(began + self._options.queue_wait_s, call.deadline - LEAST_LEFT_S)
        loop = asyncio.get_running_loop()
        decided: asyncio.Future[None] = loop.create_future()
        ticket = Ticket(priority, call.turn, partial(_wake, decided))
        if give_up_at <= began:
            self._refuse(call, Verdict.TOO_LATE.value)
        if not self._gate.queue(ticket):
            self._refuse(call, _QUEUE_FULL)
        self._listener(CallQueued(priority.word))
        timer = loop.call_at(give_up_at, self._gate.expire, ticket)
        try:
            await decided
        except asyncio.CancelledError:
            self._gate.abandon(ticket)
            raise
        finally:
            timer.cancel()
            self._listener(CallUnqueued(priority.word, self._clock.now() - began))
        if ticket.verdict is Verdict.PUSHED_OUT or ticket.verdict is Verdict.TOO_LATE:
            self._refuse(call, ticket.verdict.value)

    def _refuse(self, call: Call, reason: str) -> NoReturn:
        self._listener(CallShed(call.id, call.priority.word, reason))
        self._shed += 1
        gate, now = self._gate, self._clock.now()
        if now - self._reported_at >= _REPORT_EVERY_S:
            self._listener(Overloaded(self._shed, gate.waiting, gate.in_flight, gate.limit))
            self._shed, self._reported_at = 0, now
        message = f"The gateway is working on as many calls as it may ({gate.limit}), and {_REFUSED[reason]}."
        raise GatewayError(OVERLOADED, message, retry_after_s=self._retry_after_s())

    def _retry_after_s(self) -> float:
        """Return the longest time in the queue, jittered: clients refused together should not return together."""
        spread_s = self._options.queue_wait_s * (0.5 + self._chance())
        return round(min(max(spread_s, RETRY_AFTER_MIN_S), RETRY_AFTER_MAX_S), 3)


class _Stay:
    """One call's slot, from its admission to its end."""

    __slots__ = ("_began", "_call", "_clock", "_gate", "_in_flight", "_learning")

    def __init__(self, call: Call, gate: Gate, clock: Clock, *, adaptive: bool) -> None:
        self._call = call
        self._gate = gate
        self._clock = clock
        self._learning = adaptive
        self._in_flight = gate.in_flight
        self._began = clock.now() if adaptive else 0.0

    def answered(self) -> None:
        """Report the latency of the first token of a stream, or of a whole answer, to the gate; at most once."""
        if self._learning:
            self._learning = False
            stream = self._call.request.stream
            self._gate.learn(self._clock.now() - self._began, stream=stream, in_flight=self._in_flight)

    def close(self, outcome: Outcome) -> None:
        """Free the slot. The latency of a whole answer, and of one that timed out (a lower bound), is learned here."""
        if outcome.end is End.COMPLETED or self._timed_out(outcome):
            self.answered()
        self._learning = False
        self._gate.leave()

    def _timed_out(self, outcome: Outcome) -> bool:
        error = outcome.error
        if isinstance(error, GatewayError):
            return error.kind.category == "timeout"
        return self._learning and self._clock.now() >= self._call.deadline  # the total timeout comes as a cancellation


def _wake(decided: asyncio.Future[None]) -> None:
    if not decided.done():  # its task may have been cancelled in the meantime
        decided.set_result(None)
