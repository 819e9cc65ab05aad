"""
Admission control: which calls are admitted, queued or rejected. No I/O, no clock.

The state belongs to the process, so that a reload keeps the calls that are in flight or waiting.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, IntEnum

import msgspec

from app.core.traffic.gradient import Gradient


class Priority(IntEnum):
    """The priority of a call; smaller values go first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def word(self) -> str:
        """Return the name used in requests and metrics."""
        return self.name.lower()


class Verdict(Enum):
    """The result for a call that waited."""

    ADMITTED = "admitted"
    PUSHED_OUT = "pushed_out"  # by a call of higher priority, or of a caller with fewer waiting calls
    TOO_LATE = "too_late"
    LEFT = "left"


class Bounds(msgspec.Struct, frozen=True):
    """Maximum calls in flight and waiting; with `adaptive`, the limit in flight varies up to `max_in_flight`."""

    max_in_flight: int
    queue_max: int
    adaptive: bool = False


class Ticket(msgspec.Struct, eq=False):
    """
    A waiting call; calls of the same caller have the same number `caller`.

    `wake` is called once, when the gate sets `verdict` (not if the call itself leaves).
    """

    priority: Priority
    caller: int
    wake: Callable[[], None]
    verdict: Verdict | None = None


class Gate:
    """Counts the calls in flight, and queues waiting calls in the order of their admission."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.waiting = 0
        self._bounds = Bounds(0, 0)
        self._lines = {priority: _Line() for priority in Priority}
        self._gradient = Gradient()

    @property
    def limit(self) -> int:
        """Return the current limit of calls in flight."""
        most = self._bounds.max_in_flight
        return self._gradient.limit(most) if self._bounds.adaptive else most

    def enter(self, bounds: Bounds) -> bool:
        """
        Take a slot if one is free and no call waits for it; return whether it was taken. `leave` releases it.

        The bounds of the latest call apply to all: after a reload they are those of the new configuration.
        """
        self._bounds = bounds
        if self.waiting:
            self._fill()
        if self.waiting or self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Release a slot, and admit the next waiting call."""
        self.in_flight -= 1
        if self.waiting:
            self._fill()

    def queue(self, ticket: Ticket) -> bool:
        """
        Queue a call that could not enter; return False if the queue is full.

        In a full queue it replaces the newest call of the lowest priority below its own; if there is none, the newest
        call of the caller with the most calls of its own priority, if that caller then still has at least as many as
        its own caller.
        """
        if self.waiting >= self._bounds.queue_max:
            victim = self._victim(ticket)
            if victim is None:
                return False
            self._decide(victim, Verdict.PUSHED_OUT)
        self._lines[ticket.priority].append(ticket)
        self.waiting += 1
        return True

    def expire(self, ticket: Ticket) -> None:
        """Reject a call that has waited for too long, unless it already has a verdict."""
        if ticket.verdict is None:
            self._decide(ticket, Verdict.TOO_LATE)

    def abandon(self, ticket: Ticket) -> None:
        """Release what a call holds whose client disconnected: its place in the queue, or its slot if just admitted."""
        if ticket.verdict is None:
            self._remove(ticket, Verdict.LEFT)
        elif ticket.verdict is Verdict.ADMITTED:
            self.leave()

    def learn(self, seconds: float, *, stream: bool, in_flight: int) -> None:
        """Update the adaptive limit with the latency of an answer; see `Gradient.learn`."""
        self._gradient.learn(seconds, stream=stream, in_flight=in_flight, most=self._bounds.max_in_flight)
        if self.waiting:
            self._fill()

    def _fill(self) -> None:
        while self.waiting and self.in_flight < self.limit:
            ticket = next(line.first() for line in self._lines.values() if line.waiting)
            self.in_flight += 1
            self._decide(ticket, Verdict.ADMITTED)

    def _victim(self, ticket: Ticket) -> Ticket | None:
        for priority in reversed(Priority):
            if priority > ticket.priority and self._lines[priority].waiting:
                return self._lines[priority].newest()
        return self._lines[ticket.priority].excess(ticket.caller)

    def _decide(self, ticket: Ticket, verdict: Verdict) -> None:
        self._remove(ticket, verdict)
        ticket.wake()

    def _remove(self, ticket: Ticket, verdict: Verdict) -> None:
        ticket.verdict = verdict
        self._lines[ticket.priority].remove(ticket, served=verdict is Verdict.ADMITTED)
        self.waiting -= 1


class _Line:
    """The queue of one priority: round robin over callers, FIFO for each. All but `excess` take constant time."""

    def __init__(self) -> None:
        self._arrivals: OrderedDict[Ticket, None] = OrderedDict()
        self._callers: OrderedDict[int, OrderedDict[Ticket, None]] = OrderedDict()

    @property
    def waiting(self) -> int:
        return len(self._arrivals)

    def append(self, ticket: Ticket) -> None:
        self._arrivals[ticket] = None
        self._callers.setdefault(ticket.caller, OrderedDict())[ticket] = None

    def first(self) -> Ticket:
        """Return the oldest call of the caller whose turn it is."""
        return next(iter(next(iter(self._callers.values()))))

    def newest(self) -> Ticket:
        return next(reversed(self._arrivals))

    def excess(self, caller: int) -> Ticket | None:
        """Return the newest call of the caller with the most, if it has at least two more than `caller`; O(callers)."""
        own = len(self._callers.get(caller, ()))
        longest = max(self._callers.values(), key=len, default=OrderedDict[Ticket, None]())
        return next(reversed(longest)) if len(longest) > own + 1 else None

    def remove(self, ticket: Ticket, *, served: bool) -> None:
        """Remove a call; with `served`, its caller goes behind the others."""
        del self._arrivals[ticket]
        own = self._callers[ticket.caller]
        del own[ticket]
        if not own:
            del self._callers[ticket.caller]
        elif served:
            self._callers.move_to_end(ticket.caller)
