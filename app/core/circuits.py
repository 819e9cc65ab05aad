"""
Types of the circuit breaker: states, policy, tickets and verdicts, and a listener that tracks circuits not closed.

The state machine is in `app/state/circuits/circuit.py`.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import Literal, TypeAlias

import msgspec

from app.core.call import Attempt, Target
from app.core.errors import CIRCUIT_OPEN, TARGET_RATE_LIMITED, Blame, GatewayError
from app.core.outcome import End, Outcome
from app.core.signals import CircuitChanged, Listener, Signal

# How long a probe may hold its slot without a verdict. Longer than most answers take, so that a slow one rarely causes
# a second probe. Where replicas share slots, leases are shorter, and are renewed while the replica lives.
PROBE_LEASE_S = 60.0
BUCKETS = 12  # of the sliding window: counts cover between 11/12 and all of `window_s`

Force: TypeAlias = Literal["open", "close", "reset"]


class CircuitState(Enum):
    """A closed circuit admits every call, an open one none, a half-open one a few probes of the target's recovery."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Verdict(Enum):
    """How the outcome of a call counts for its target."""

    OK = "ok"
    FAILED = "failed"
    IGNORED = "ignored"


class CircuitPolicy(msgspec.Struct, frozen=True, dict=True):
    """
    When a circuit opens and closes; see `docs/circuit-breaker.md`.

    It opens after `failure_threshold` failures within `window_s` that are at least `failure_ratio` of the calls. It
    stays open for `open_s`, twice as long after each failed probe, up to `open_max_s`.
    """

    failure_threshold: int
    window_s: float
    failure_ratio: float
    open_s: float
    open_max_s: float
    half_open_max_calls: int
    probe_lease_s: float = PROBE_LEASE_S

    @cached_property  # every answer reads it
    def bucket_ms(self) -> int:
        """Return the length of one bucket of the window."""
        return max(1, round(self.window_s * 1000) // BUCKETS)


NO_GENERATION = -1  # of tickets that no circuit issued: their verdicts are ignored


class Ticket(msgspec.Struct, frozen=True):
    """
    The admission of one call, returned with its verdict.

    `generation` identifies the period of the circuit in which the call began: a verdict on another period is ignored.
    `slot` is that of a probe, or empty.
    """

    target: Target
    policy: CircuitPolicy
    generation: int
    slot: str


class CircuitView(msgspec.Struct, frozen=True):
    """
    A circuit as shown to operators.

    `failures` of `calls` failed within the window; `age_s` is the time in this state; `wait_s` the time until probes
    are admitted (None: not until an operator closes the circuit).
    """

    target: str
    state: CircuitState
    forced: bool
    failures: int
    calls: int
    age_s: float
    wait_s: float | None


def is_last_resort(attempt: Attempt) -> bool:
    """Return whether all other targets of the call were skipped for open circuits, so that the last is tried anyway."""
    tried = attempt.call.journal.tried
    return attempt.last and bool(tried) and all(each.code == CIRCUIT_OPEN.code for each in tried)


def verdict_of(outcome: Outcome) -> Verdict:
    """Return the verdict on an outcome: only the target's own faults are failures, except for rate limits."""
    if outcome.end is End.COMPLETED:
        return Verdict.OK
    error = outcome.error
    if isinstance(error, GatewayError) and error.kind.blame is Blame.TARGET and error.kind is not TARGET_RATE_LIMITED:
        return Verdict.FAILED
    return Verdict.IGNORED


def wished_s(outcome: Outcome) -> float:
    """Return the target's Retry-After in seconds; 0 if it sent none."""
    error = outcome.error
    return (error.retry_after_s or 0.0) if isinstance(error, GatewayError) else 0.0


class Resting:
    """A listener that tracks targets whose circuits are not closed: no optional requests are sent to these."""

    def __init__(self) -> None:
        self._targets: set[str] = set()

    def __call__(self, signal: Signal) -> None:
        """Record a circuit's change."""
        if not isinstance(signal, CircuitChanged):
            return
        name = Target(signal.provider, signal.model).name
        if signal.now == "closed":
            self._targets.discard(name)
        else:
            self._targets.add(name)

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Subscribe to changes of circuits only."""
        return (self,) if kind is CircuitChanged else ()

    def fit(self, target: Target) -> bool:
        """Return whether the circuit of `target` is closed, as far as this process knows."""
        return target.name not in self._targets
