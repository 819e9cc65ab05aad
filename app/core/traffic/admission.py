"""
Who may come in, who waits, and who is sent away: the books of a house with so many places. No I/O, no time.

The books belong to the process, so that a reload forgets nobody who is inside or waiting.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from enum import Enum, IntEnum

import msgspec

from app.core.traffic.gradient import Gradient


class Priority(IntEnum):
    """How much a call matters; the smaller goes first."""

    HIGH = 0
    NORMAL = 1
    LOW = 2

    @property
    def word(self) -> str:
        """Return the name as callers write it and metrics show it."""
        return self.name.lower()


class Verdict(Enum):
    """What became of a call that waited."""

    ADMITTED = "admitted"
    PUSHED_OUT = "pushed_out"  # by a call that matters more, or by one of a caller with fewer calls waiting
    TOO_LATE = "too_late"
    LEFT = "left"


class Bounds(msgspec.Struct, frozen=True):
    """Most calls inside and most that wait; with `adaptive`, the former is only the most that is ever let in."""

    max_in_flight: int
    queue_max: int
    adaptive: bool = False


class Ticket(msgspec.Struct, eq=False):
    """
    A call that waits; calls of one `caller` have equal numbers.

    `wake` is called once, when there is a `verdict` that somebody else gave.
    """

    priority: Priority
    caller: int
    wake: Callable[[], None]
    verdict: Verdict | None = None


class Gate:
    """Counts who is inside, and keeps those who wait in the order in which they will be let in."""

    def __init__(self) -> None:
        self.in_flight = 0
        self.waiting = 0
        self._bounds = Bounds(0, 0)
        self._lines = {priority: _Line() for priority in Priority}
        self._gradient = Gradient()

    @property
    def limit(self) -> int:
        """Return how many may be inside at present."""
        most = self._bounds.max_in_flight
        return self._gradient.limit(most) if self._bounds.adaptive else most

    def enter(self, bounds: Bounds) -> bool:
        """
        Take a place if one is free and nobody waits for it, and say whether that was so; `leave` gives it back.

        The bounds of the newest call hold for all: after a reload they are those of the newer configuration.
        """
        self._bounds = bounds
        if self.waiting:
            self._fill()
        if self.waiting or self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    def leave(self) -> None:
        """Give a place back, to the next who waits."""
        self.in_flight -= 1
        if self.waiting:
            self._fill()

    def queue(self, ticket: Ticket) -> bool:
        """
        Let a call wait that could not enter, and say whether there was room.

        In a full queue it takes the place of the newest call of the lowest class below its own; if there is none, of
        the newest call of the caller in its own class with the most calls there, if those stay at least as many as its
        own caller's.
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
        """Send a call away that has waited for too long, unless it has been decided about."""
        if ticket.verdict is None:
            self._decide(ticket, Verdict.TOO_LATE)

    def abandon(self, ticket: Ticket) -> None:
        """Free what a call holds whose client left: its place in the queue, or the one it was just given inside."""
        if ticket.verdict is None:
            self._remove(ticket, Verdict.LEFT)
        elif ticket.verdict is Verdict.ADMITTED:
            self.leave()

    def learn(self, seconds: float, *, stream: bool, in_flight: int) -> None:
        """Tell an adaptive limit how long an answer took; see `Gradient.learn`."""
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
    """Those of one class: callers in turn, each caller's calls as they came. Every step takes constant time but one."""

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
        """Return the newest call of whoever has at least two more here than `caller`; looks at all callers."""
        own = len(self._callers.get(caller, ()))
        longest = max(self._callers.values(), key=len, default=OrderedDict[Ticket, None]())
        return next(reversed(longest)) if len(longest) > own + 1 else None

    def remove(self, ticket: Ticket, *, served: bool) -> None:
        """Forget a call; a caller who was served goes behind the others."""
        del self._arrivals[ticket]
        own = self._callers[ticket.caller]
        del own[ticket]
        if not own:
            del self._callers[ticket.caller]
        elif served:
            self._callers.move_to_end(ticket.caller)
