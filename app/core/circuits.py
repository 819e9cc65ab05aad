"""
The words for circuit breaking: states, the policy, what admits one call, how it is judged, who remembers the open ones.

What a circuit does with them stands in `app/state/circuits/circuit.py`.
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

# How long a probe may hold its place without a word. Longer than most answers take, so that few slow ones bring a
# second probe. Where replicas share places, theirs are shorter, and prolonged as long as they live.
PROBE_LEASE_S = 60.0
BUCKETS = 12  # of the window: what is counted is between 11/12 and the whole of it

Force: TypeAlias = Literal["open", "close", "reset"]


class CircuitState(Enum):
    """Closed lets every call pass, open none, half-open a few that find out whether the target is well again."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Verdict(Enum):
    """What the ending of a call says about its target."""

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

    @cached_property  # every answer asks for it
    def bucket_ms(self) -> int:
        """Return the length of one bucket of the window."""
        return max(1, round(self.window_s * 1000) // BUCKETS)


NO_GENERATION = -1  # of tickets that no circuit gave: their verdicts count for nothing


class Ticket(msgspec.Struct, frozen=True):
    """
    What admits one call, to be handed back with its verdict.

    `generation` names the period of the circuit in which the call began: a verdict from another period counts for
    nothing. `slot` is the place of a probe, or empty.
    """

    target: Target
    policy: CircuitPolicy
    generation: int
    slot: str


class CircuitView(msgspec.Struct, frozen=True):
    """
    One circuit as an operator sees it.

    `failures` of `calls` ended badly within the window; `age_s` is the time in this state; `wait_s` the time until
    probes are let through (None: not until somebody closes it).
    """

    target: str
    state: CircuitState
    forced: bool
    failures: int
    calls: int
    age_s: float
    wait_s: float | None


def is_last_resort(attempt: Attempt) -> bool:
    """Say whether every other target of the call is left alone: the last one is then tried, however bad it is."""
    tried = attempt.call.journal.tried
    return attempt.last and bool(tried) and all(each.code == CIRCUIT_OPEN.code for each in tried)


def verdict_of(outcome: Outcome) -> Verdict:
    """Judge an ending: only what is the target's own fault is a failure, and a rate limit is none."""
    if outcome.end is End.COMPLETED:
        return Verdict.OK
    error = outcome.error
    if isinstance(error, GatewayError) and error.kind.blame is Blame.TARGET and error.kind is not TARGET_RATE_LIMITED:
        return Verdict.FAILED
    return Verdict.IGNORED


def wished_s(outcome: Outcome) -> float:
    """Return for how long the target asked to be left alone; 0 if it did not say."""
    error = outcome.error
    return (error.retry_after_s or 0.0) if isinstance(error, GatewayError) else 0.0


class Resting:
    """Remembers, as a listener, which targets are left alone or being probed: nothing optional is sent to them."""

    def __init__(self) -> None:
        self._targets: set[str] = set()

    def __call__(self, signal: Signal) -> None:
        """Take note of a change."""
        if not isinstance(signal, CircuitChanged):
            return
        name = Target(signal.provider, signal.model).name
        if signal.now == "closed":
            self._targets.discard(name)
        else:
            self._targets.add(name)

    def ears(self, kind: type[Signal]) -> tuple[Listener, ...]:
        """Hear of circuits only."""
        return (self,) if kind is CircuitChanged else ()

    def fit(self, target: Target) -> bool:
        """Say whether the circuit of `target` is closed, as far as is known here."""
        return target.name not in self._targets
