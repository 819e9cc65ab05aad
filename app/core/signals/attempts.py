"""What a call does beyond a first try at a first target, and what its attempts cost."""

from __future__ import annotations

from app.core.signals.signal import Signal
from app.core.usage import Usage


class AttemptEnded(Signal, frozen=True):
    """
    One try at one target ended; for a stream, after its last byte.

    `outcome` is completed, failed, refused (the request was wrong, by what the provider says, or because the target's
    dialect cannot express it; then nothing was sent) or abandoned; `code` names the error's row, or is empty.
    """

    request_id: str
    provider: str
    model: str
    outcome: str
    code: str


class RetryScheduled(Signal, frozen=True):
    """The same target will be tried again after a pause; `attempt` is the one that failed, counted from 1."""

    request_id: str
    provider: str
    model: str
    code: str
    category: str
    attempt: int
    pause_s: float


class FellBack(Signal, frozen=True):
    """A target was given up for the next one; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    code: str


class HedgeStarted(Signal, frozen=True):
    """A second target was asked because the first was silent for `delay_s`; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    delay_s: float


class HedgeEnded(Signal, frozen=True):
    """
    It is known what a hedge was good for.

    `outcome` is won (the second target answered), lost (the first did), failed (neither) or abandoned (the call ended
    before either had).
    """

    request_id: str
    origin: str
    onward: str
    outcome: str


class StreamRecovered(Signal, frozen=True):
    """
    Another target goes on with an answer that broke off; both are `provider/model`.

    `code` names the error's row, and `chars` is how much the client had seen.
    """

    request_id: str
    origin: str
    onward: str
    code: str
    chars: int


class StreamNotRecovered(Signal, frozen=True):
    """
    An answer of a route that recovers broke off and nobody goes on with it.

    `reason` is unfit (the client has seen something else than text), spent (it broke off often enough before),
    unable (no other target can go on) or failed (those that can were asked, and failed).
    """

    request_id: str
    origin: str
    code: str
    reason: str


class Spent(Signal, frozen=True):
    """
    One attempt was accounted for: a row of the ledger.

    `key` and `team` say on whose behalf, as far as that is known; `route` is what the client asked for. `cost_nusd` is
    in billionths of a dollar, None if nobody knows the price. `estimated` says that the provider did not report the
    usage; `outcome` is how the attempt ended, and `at` the wall time of that.
    """

    request_id: str
    key: str
    team: str
    route: str
    provider: str
    model: str
    usage: Usage
    cost_nusd: int | None
    estimated: bool
    outcome: str
    at: float


class BudgetExceeded(Signal, frozen=True):
    """A budget left no room for a call: it may have spent less, since what a call may cost at most has to fit."""

    budget: str


class BudgetExhausted(Signal, frozen=True):
    """A hard budget refused a call, for the first time in a subject's period; `held_usd` is kept for open calls."""

    budget: str
    spent_usd: float
    held_usd: float
    limit_usd: float


class BudgetReached(Signal, frozen=True):
    """Spending reached the given share of a budget's limit; told once for each share, period and subject."""

    budget: str
    share: float
    spent_usd: float
    limit_usd: float
