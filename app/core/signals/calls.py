"""Signals of calls, their streams, and the turns that they add to sessions."""

from __future__ import annotations

from app.core.signals.signal import Signal
from app.core.usage import Usage


class CallStarted(Signal, frozen=True):
    """A call entered the pipeline."""

    request_id: str
    endpoint: str
    model: str
    stream: bool


class StreamStarted(Signal, frozen=True):
    """
    A stream reached its commit point, from which on the client receives it.

    `first_token_s` counts from the start of the call. `trace_id` is empty unless the call is traced.
    """

    request_id: str
    provider: str
    model: str
    first_token_s: float
    trace_id: str = ""


class CallEnded(Signal, frozen=True):
    """
    A call left the pipeline; for a stream, after its last byte.

    `model` is what the client requested; `provider` and `target_model` are the target that answered or failed last
    (empty when no target was reached). `outcome` is completed, failed or abandoned; `code` is the error's code in the
    error table, or empty. `overhead_s` is the time up to the commit point that was not spent waiting for a provider.
    `tokens_per_s` is measured between the first and the last event of a stream whose usage is known, and
    `longest_gap_s` is the longest pause between events of such a stream. `cost_usd` is the cost of all attempts, None
    if their price is unknown. `drained` is the outcome of an answer that was read to its end after its client had left
    (completed, failed or abandoned); None for any other. `trace_id` is empty unless the call is traced.
    """

    request_id: str
    endpoint: str
    model: str
    provider: str
    target_model: str
    stream: bool
    outcome: str
    status: int
    code: str
    category: str
    attempts: int
    position: int
    duration_s: float
    overhead_s: float
    first_token_s: float | None
    tokens_per_s: float | None
    usage: Usage | None
    cost_usd: float | None = None
    cache: str | None = None
    trace_id: str = ""
    drained: str | None = None
    longest_gap_s: float | None = None


class StreamTrimmed(Signal, frozen=True):
    """`events` of a stream were dropped because its client read too slowly, as `streaming.overflow` allows."""

    request_id: str
    events: int


class ClientLeft(Signal, frozen=True):
    """A client left a call whose answer may be read to its end without it; `drained` is False if no slot was free."""

    request_id: str
    drained: bool


class StreamResumed(Signal, frozen=True):
    """
    A client resumed a stream after its first `events` events; `live` means that the stream had not ended yet.

    `request_id` is that of the call that produces the stream.
    """

    request_id: str
    events: int
    live: bool


class CallRepeated(Signal, frozen=True):
    """A call repeated an earlier one (by its idempotency key), and got the answer of that one."""

    request_id: str


class CallRefused(Signal, frozen=True):
    """A request was refused at the edge before it became a call (bad JSON, too large a body, ...)."""

    request_id: str
    endpoint: str
    status: int
    code: str


class InternalFault(Signal, frozen=True):
    """An unexpected exception, hence a bug: `error` is its type and `trace` its frames, without its message."""

    request_id: str
    error: str
    trace: str


class SessionTurnKept(Signal, frozen=True):
    """A turn was added to its session; `trimmed` older messages were left out of its request."""

    trimmed: int


class SessionTurnLost(Signal, frozen=True):
    """An answer was given but could not be added to its session; `code` is the error's code in the error table."""

    request_id: str
    code: str
