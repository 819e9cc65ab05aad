"""A circuit in as few words as possible, with lists instead of buckets: the tests' own idea of one."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.core.circuits import CircuitPolicy

BUCKETS = 12


@dataclass
class Model:
    """What a circuit should be; all times are whole milliseconds."""

    policy: CircuitPolicy
    state: str = "closed"
    period: int = 0
    forced: bool = False
    opens_till: int = 0
    openings: int = 0
    ended: list[tuple[int, bool]] = field(default_factory=list)
    probes: dict[object, int] = field(default_factory=dict)

    def admit(self, now: int, call: object) -> bool:
        """Say whether `call` may go; a probe is remembered."""
        if self.state == "open" and not self.forced and now >= self.opens_till:
            self.state = "half_open"
        if self.state != "half_open":
            return self.state == "closed"
        self.probes = {probe: ends for probe, ends in self.probes.items() if ends > now}
        if len(self.probes) >= self.policy.half_open_max_calls:
            return False
        self.probes[call] = now + round(self.policy.probe_lease_s * 1000)
        return True

    def report(self, now: int, call: object, period: int, verdict: str) -> None:
        """Take note of the end of a call that was admitted in `period`."""
        if period != self.period:
            return
        self.probes.pop(call, None)
        if verdict == "ignored":
            return
        if self.state == "half_open":
            if verdict == "failed":
                self._open(now)
            else:
                self.openings = 0
                self._enter("closed")
        elif self.state == "closed":
            self.ended.append((now, verdict == "failed"))
            width = round(self.policy.window_s * 1000) // BUCKETS
            inside = [failed for at, failed in self.ended if now // width - at // width < BUCKETS]
            enough = sum(inside) >= self.policy.failure_threshold
            if verdict == "failed" and enough and sum(inside) >= self.policy.failure_ratio * len(inside):
                self._open(now)

    def force(self, action: str) -> None:
        """Do as an operator says."""
        if action == "reset":
            self.openings = 0
        self._enter("open" if action == "open" else "closed")
        self.forced = action == "open"

    def _open(self, now: int) -> None:
        self._enter("open")
        longest = min(self.policy.open_max_s, self.policy.open_s * 2**self.openings)
        self.opens_till = now + round(longest * 1000)
        self.openings += 1

    def _enter(self, state: str) -> None:
        self.state, self.forced, self.ended, self.probes = state, False, [], {}
        self.period += 1
