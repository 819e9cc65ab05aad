"""Signals of attempts: their outcome and cost, retries, fallbacks, hedges, recovered streams and budgets."""

from __future__ import annotations

from app.core.signals.signal import Signal
from app.core.usage import Usage


class AttemptEnded(Signal, frozen=True):
    """
    An attempt at a target ended; for a stream, after its last byte.

    `outcome` is completed, failed, refused (the provider called the request invalid, or the target's dialect cannot
    express it; then nothing was sent) or abandoned; `code` is the error's code in the error table, or empty.
    """

    request_id: str
    provider: str
    model: str
    outcome: str
    code: str


class RetryScheduled(Signal, frozen=True):
    """The same target will be retried after `pause_s`; `attempt` is the number of the failed one, counted from 1."""

    request_id: str
    provider: str
    model: str
    code: str
    category: str
    attempt: int
    pause_s: float


class FellBack(Signal, frozen=True):
    """A call fell back from target `origin` to the next one, `onward`; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    code: str


class HedgeStarted(Signal, frozen=True):
    """A request was sent to a second target because the first sent nothing for `delay_s`; both are `provider/model`."""

    request_id: str
    origin: str
    onward: str
    delay_s: float


class HedgeEnded(Signal, frozen=True):
    """
    The outcome of a hedge is known.

    `outcome` is won (the second target answered), lost (the first did), failed (neither did) or abandoned (the call
    ended before either answered).
    """

    request_id: str
    origin: str
    onward: str
    outcome: str


class StreamRecovered(Signal, frozen=True):
    """
    Another target continues an answer that broke off; both are `provider/model`.

    `code` is the error's code in the error table; `chars` is the length of the text that the client had received.
    """

    request_id: str
    origin: str
    onward: str
    code: str
    chars: int


class StreamNotRecovered(Signal, frozen=True):
    """
    An answer broke off on a route with stream recovery, and no other target continues it.

    `reason` is unfit (the client has received something other than text), spent (no recoveries are left),
    unable (no other target can continue) or failed (the targets that can continue failed).
    """

    request_id: str
    origin: str
    code: str
    reason: str


class Spent(Signal, frozen=True):
    """
    The cost of one attempt was settled: a row of the ledger.

    `key` and `team` are the caller's, as far as known; `route` is the model that the client requested. `cost_nusd` is
    in billionths of a dollar, None if the price is unknown. `estimated` means that the provider did not report the
    usage; `outcome` is how the attempt ended, and `at` the wall time of its end.
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
    """A budget refused a call: what was left of its limit is less than the maximum cost of the call."""

    budget: str


class BudgetExhausted(Signal, frozen=True):
    """A hard budget refused a subject's first call in a period; `held_usd` is reserved for calls in flight."""

    budget: str
    spent_usd: float
    held_usd: float
    limit_usd: float


class BudgetReached(Signal, frozen=True):
    """Spending reached `share` of a budget's limit; emitted once per share, period and subject."""

    budget: str
    share: float
    spent_usd: float
    limit_usd: float
