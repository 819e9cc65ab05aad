"""
The arithmetic of rate limits: the generic cell rate algorithm, in whole microseconds. Pure.

A bucket is a queue that one server works off at constant speed. A call of `units` brings `charge_us` of work and is let
in if it would be through within `room_us` from now. So in any window of W microseconds the work let in is at most
`room_us + W`, and its units at most `burst + rate * W`: never more, whatever the order and the size of the calls.

Work that turns out not to be needed is taken out of the queue again, but only what the server has surely not reached
yet: the queue moves forward, and the bound stays exact. (Taking off all of it, as is usual, gives back time that has
passed already, and lets a bucket full of large reservations spend up to twice its burst.) Where a call stands in the
queue is known up to what others have given back since it came, so less may be given back than could be, never more.

`scripts/limits_*.lua` say the same to Redis, and one contract suite keeps the two alike.
"""

from __future__ import annotations

import msgspec

US_PER_S = 1_000_000
YEAR_US = 366 * 86_400 * US_PER_S  # nobody owes more than that, whatever a provider claims to have used


class Rate(msgspec.Struct, frozen=True):
    """So many units for each window, and `burst` of them at once; `room_us` is the length of a full queue."""

    amount: int
    window_us: int
    burst: int
    room_us: int

    @classmethod
    def of(cls, amount: int, window_s: float, burst: int) -> Rate:
        """Return the rate of `amount` units in `window_s`."""
        window_us = round(window_s * US_PER_S)
        return cls(amount, window_us, burst, burst * window_us // amount)

    def charge_us(self, units: int) -> int:
        """Return the work of some units, rounded up: limits may be stricter by a microsecond a call, never looser."""
        return -(-units * self.window_us // self.amount)

    def left(self, used_us: int) -> int:
        """Return how many whole units fit into a queue besides the work that is in it; negative if it is too full."""
        return (self.room_us - used_us) * self.amount // self.window_us

    def shared_by(self, replicas: int) -> Rate:
        """Return the part of one of several replicas; a burst smaller than their number is not cut below 1."""
        burst = max(1, self.burst // replicas)
        window_us = self.window_us * replicas
        return Rate(self.amount, window_us, burst, burst * window_us // self.amount)


class Hold(msgspec.Struct, frozen=True):
    """Where the work of one call stood in its queue when it was let in; see `Bucket`."""

    served_us: int
    moved_us: int
    born_us: int


class Bucket(msgspec.Struct):
    """
    One queue.

    `served_us` is the time at which all work in it will be done; `moved_us` is by how much it has moved forward in
    all since `born_us`, the time at which it was made (a bucket that was forgotten and made anew is another one).
    """

    served_us: int
    moved_us: int
    born_us: int

    def used_us(self, now: int) -> int:
        """Return the work that is in the queue: the time until the bucket is as good as new."""
        return max(0, self.served_us - now)

    def take(self, now: int, charge_us: int, room_us: int) -> Hold | None:
        """Let work in if it fits into a queue of that length; None if it does not."""
        served_us = max(self.served_us, now) + charge_us
        if served_us - now > room_us:
            return None
        self.served_us = served_us
        return Hold(served_us, self.moved_us, self.born_us)

    def undo(self, charge_us: int) -> None:
        """Take out again what was let in last, as if it had never been there."""
        self.served_us -= charge_us

    def settle(self, now: int, hold: Hold, owed_us: int) -> None:
        """Add work that is owed on top of what was let in under `hold`, or give back so much of it (negative)."""
        if owed_us > 0:
            self.served_us = max(self.served_us, now) + owed_us
        elif hold.born_us == self.born_us:
            unserved_us = hold.served_us - (self.moved_us - hold.moved_us) - now
            given_us = min(-owed_us, max(0, unserved_us))
            self.served_us -= given_us
            self.moved_us += given_us


def wait_us(used_us: int, charge_us: int, room_us: int) -> int:
    """Return how long it takes until so much work fits into a queue; 0 if it fits now."""
    return max(0, used_us + charge_us - room_us)
