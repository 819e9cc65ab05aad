"""
One circuit: the state machine and its sliding window. Pure: time and chance are arguments.

`scripts/circuit_*.lua` implement the same for Redis. One contract suite tests both: change them together. All times are
whole milliseconds of one clock, so that both compute the same numbers.
"""

from __future__ import annotations

import msgspec

from app.core.circuits import BUCKETS, CircuitPolicy, CircuitState, Force

JITTER = 0.25  # largest share by which chance shortens a grown open time, so that targets do not probe in step
LEAST_OPEN_MAX_S = 86_400.0  # a longer Retry-After is considered a mistake of the provider
DOUBLINGS_MAX = 30


class Finding(msgspec.Struct, frozen=True):
    """
    The outcomes of calls of one generation: `completed` and `failed`; a probe also gives its `slot` back.

    `least_open_s` is what the target asked for (Retry-After); `shrink` is the random factor on a grown open time, from
    1 - JITTER to 1.
    """

    generation: int
    slot: str = ""
    completed: int = 0
    failed: int = 0
    least_open_s: float = 0.0
    shrink: float = 1.0


class Reading(msgspec.Struct, frozen=True):
    """
    A circuit after one decision.

    `slot` is the decision of `admit`: None refuses, "" admits, anything else admits a probe. `wait_ms` is the time
    until probes are let through; `failures` and `calls` are counted only where they decide something or are asked for.
    `age_ms` is that of the state; where replicas share it, 0 only for the decision that brought it about.
    """

    state: CircuitState
    generation: int
    wait_ms: int
    forced: bool
    failures: int
    calls: int
    age_ms: int
    slot: str | None = None


class Window:
    """Failures and calls of the last `window_s`, in buckets of a twelfth of it."""

    def __init__(self) -> None:
        self._buckets: dict[int, list[int]] = {}

    def add(self, now: int, policy: CircuitPolicy, failures: int, calls: int) -> None:
        """Count calls that ended at `now`."""
        bucket = now // policy.bucket_ms
        counts = self._buckets.get(bucket)
        if counts is not None:
            counts[1] += calls
            if failures:
                counts[0] += failures
            return
        self._buckets[bucket] = [failures, calls]
        if len(self._buckets) > BUCKETS:
            self._buckets = {n: counts for n, counts in self._buckets.items() if bucket - BUCKETS < n <= bucket}

    def sums(self, now: int, policy: CircuitPolicy) -> tuple[int, int]:
        """Return failures and calls inside the window that ends at `now`."""
        last = now // policy.bucket_ms
        inside = [counts for n, counts in list(self._buckets.items()) if last - BUCKETS < n <= last]
        return sum(counts[0] for counts in inside), sum(counts[1] for counts in inside)


class Circuit:
    """The circuit of one target."""

    def __init__(self, now: int) -> None:
        self.state = CircuitState.CLOSED
        self.generation = 0
        self.forced = False
        self._since = now
        self._till = 0
        self._openings = 0  # consecutive, without a recovery in between
        self._window = Window()
        self._leases: dict[str, int] = {}
        self._leased = 0

    def admit(self, now: int, policy: CircuitPolicy) -> Reading:
        """Admit a call, admit it as a probe, or refuse it."""
        if self.state is CircuitState.CLOSED:
            return self._reading(now, slot="")
        if self.state is CircuitState.OPEN and not self.forced and now >= self._till:
            self.state, self._since = CircuitState.HALF_OPEN, now
        if self.state is CircuitState.OPEN:
            return self._reading(now)
        self._leases = {slot: ends for slot, ends in self._leases.items() if ends > now}
        if len(self._leases) >= policy.half_open_max_calls:
            return self._reading(now)
        self._leased += 1
        slot = f"p{self._leased}"
        self._leases[slot] = now + _ms(policy.probe_lease_s)
        return self._reading(now, slot=slot)

    def succeeded(self, now: int, policy: CircuitPolicy, generation: int) -> None:
        """Count one success of an ordinary call: the common case of `report`, made fast."""
        if generation == self.generation and self.state is CircuitState.CLOSED:
            self._window.add(now, policy, 0, 1)

    def report(self, now: int, policy: CircuitPolicy, finding: Finding) -> Reading:
        """Count outcomes; those of another generation are ignored."""
        if finding.generation != self.generation:
            return self._reading(now)
        self._leases.pop(finding.slot, None)
        if self.state is CircuitState.HALF_OPEN and finding.slot:
            if finding.failed:
                self._open(now, policy, finding)
            elif finding.completed:
                self._openings = 0
                self._enter(CircuitState.CLOSED, now)
        elif self.state is CircuitState.CLOSED and finding.failed + finding.completed:
            return self._count(now, policy, finding)
        return self._reading(now)

    def force(self, now: int, action: Force) -> Reading:
        """Apply an operator's order."""
        if action == "reset":
            self._openings = 0
        self._enter(CircuitState.OPEN if action == "open" else CircuitState.CLOSED, now)
        self.forced = action == "open"
        return self._reading(now)

    def read(self, now: int, policy: CircuitPolicy) -> Reading:
        """Read without changes."""
        failures, calls = self._window.sums(now, policy)
        return self._reading(now, failures=failures, calls=calls)

    def adopt(self, reading: Reading, now: int) -> None:
        """Go on from where another circuit of the same target was."""
        self.state, self.generation, self.forced = reading.state, reading.generation, reading.forced
        self._since, self._till = now - reading.age_ms, now + reading.wait_ms

    def _count(self, now: int, policy: CircuitPolicy, finding: Finding) -> Reading:
        self._window.add(now, policy, finding.failed, finding.failed + finding.completed)
        if not finding.failed:
            return self._reading(now)
        failures, calls = self._window.sums(now, policy)
        if failures >= policy.failure_threshold and failures >= policy.failure_ratio * calls:
            self._open(now, policy, finding)
        return self._reading(now, failures=failures, calls=calls)

    def _open(self, now: int, policy: CircuitPolicy, finding: Finding) -> None:
        self._enter(CircuitState.OPEN, now)
        self._till = now + open_ms(policy, self._openings, finding)
        self._openings += 1

    def _enter(self, state: CircuitState, now: int) -> None:
        """Begin a new generation."""
        self.state, self._since, self.forced = state, now, False
        self.generation += 1
        self._window = Window()
        self._leases = {}

    def _reading(self, now: int, *, slot: str | None = None, failures: int = 0, calls: int = 0) -> Reading:
        waits = self.state is CircuitState.OPEN and not self.forced
        wait_ms = max(0, self._till - now) if waits else 0
        return Reading(self.state, self.generation, wait_ms, self.forced, failures, calls, now - self._since, slot)


def open_ms(policy: CircuitPolicy, openings: int, finding: Finding) -> int:
    """Choose how long a circuit stays open that opened `openings` times in a row before."""
    first, most = _ms(policy.open_s), _ms(policy.open_max_s)
    grown = min(most, first * 2 ** min(openings, DOUBLINGS_MAX))
    return max(int(grown * finding.shrink), min(first, most), _ms(min(finding.least_open_s, LEAST_OPEN_MAX_S)))


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
