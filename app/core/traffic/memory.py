"""The traffic state of the process; it outlives configurations, so that a reload loses nothing."""

from __future__ import annotations

from app.core.traffic.admission import Gate
from app.core.traffic.loads import Loads


class Slots:
    """Counters of slots in use, by name, up to a bound. A name without slots in use takes no memory."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def take(self, name: str, most: int) -> bool:
        """Take a slot if fewer than `most` are in use, and return whether it was taken; release it exactly once."""
        used = self._used.get(name, 0)
        if used >= most:
            return False
        self._used[name] = used + 1
        return True

    def give_back(self, name: str) -> None:
        """Release a slot."""
        left = self._used[name] - 1
        if left:
            self._used[name] = left
        else:
            del self._used[name]


class Traffic:
    """The loads, slots, gate and round-robin counters of the process."""

    def __init__(self) -> None:
        self.loads = Loads()
        self.slots = Slots()
        self.gate = Gate()
        self._turns: dict[str, int] = {}

    def turn(self, route: str) -> int:
        """Return 0, 1, 2, ... for the calls of a route."""
        turn = self._turns.get(route, 0)
        self._turns[route] = turn + 1
        return turn

    def next_turn(self, route: str) -> int:
        """Return what `turn` will return for the next call, without taking it."""
        return self._turns.get(route, 0)


class Glimpse(Traffic):
    """A view of the traffic that does not advance its round-robin counters."""

    def __init__(self, traffic: Traffic) -> None:
        super().__init__()
        self.loads, self.slots, self.gate = traffic.loads, traffic.slots, traffic.gate
        self._traffic = traffic

    def turn(self, route: str) -> int:
        """Return the turn of the next call of a route, which stays the next."""
        return self._traffic.next_turn(route)
