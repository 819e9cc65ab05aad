"""Signals of attempts: retries, fallbacks, hedges, mid-stream recovery, and what attempts cost."""

from __future__ import annotations

from app.core.signals.signal import Signal
from app.core.usage import Usage


class AttemptEnded(Signal, frozen=True):
    """
    An attempt at a target ended; for a stream, after its last byte.

    `outcome` is completed, failed, refused (the provider rejected the request, or the target's dialect cannot express
    it, and nothing was sent) or abandoned; `code` is the code of the error, or empty.
    """

    request_id: str
    provider: str
    model: str
    outcome: str
    code: str


class RetryScheduled(Signal, frozen=True):
    """The same target is retried after a pause; `attempt` is the number of the one that failed, from 1."""

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
    """A second target was called because the first was silent for `delay_s`; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    delay_s: float


class HedgeEnded(Signal, frozen=True):
    """
    A hedge ended.

    `outcome` is won (the second target answered), lost (the first did), failed (neither) or abandoned (the call ended
    before either had).
    """

    request_id: str
    origin: str
    onward: str
    outcome: str


class StreamRecovered(Signal, frozen=True):
    """
    Another target continues an answer that broke off; both are `provider/model`.

    `code` is the code of the error, and `chars` is how much the client had seen.
    """

    request_id: str
    origin: str
    onward: str
    code: str
    chars: int


class StreamNotRecovered(Signal, frozen=True):
    """
    An answer of a route with recovery broke off and was not continued.

    `reason` is unfit (the client has seen more than text), spent (the limit of recoveries is reached), unable (no other
    target can continue it) or failed (those that can have failed).
    """

    request_id: str
    origin: str
    code: str
    reason: str


class Spent(Signal, frozen=True):
    """
    An attempt was accounted for, and added to the ledger.

    `key` and `team` are those of the caller, if known; `route` is the requested one. `cost_nusd` is in billionths of a
    dollar, None if the price is unknown. `estimated`: the provider did not report the usage. `outcome` is how the
    attempt ended, and `at` the wall-clock time of that.
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
    """A budget had no room for a call: the most that it may cost did not fit, so less than the limit may be spent."""

    budget: str


class BudgetExhausted(Signal, frozen=True):
    """A hard budget refused a call, for the first time in a subject's period; `held_usd` is held for open calls."""

    budget: str
    spent_usd: float
    held_usd: float
    limit_usd: float


class BudgetReached(Signal, frozen=True):
    """Spending reached a share of a budget's limit; sent once for each share, period and subject."""

    budget: str
    share: float
    spent_usd: float
    limit_usd: float
