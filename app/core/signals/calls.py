"""Signals of calls and session turns: their start, their stream, their end."""

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
    A stream was committed: its first events are about to be sent. `first_token_s` counts from the start of the call.

    `trace_id` is empty unless the call is traced.
    """

    request_id: str
    provider: str
    model: str
    first_token_s: float
    trace_id: str = ""


class CallEnded(Signal, frozen=True):
    """
    A call left the pipeline; for a stream, after its last byte.

    `model` is the requested one; `provider` and `target_model` are the target that answered or failed last (empty if
    none was reached). `outcome` is completed, failed or abandoned; `code` is the code of the error, or empty.
    `overhead_s` is the time up to the commit point without the time waiting for a provider. `tokens_per_s` is measured
    between the first and the last event of a stream whose usage is known; `longest_gap_s` is the longest silence of
    such a stream after it began. `cost_usd` is that of all attempts, None if their price is unknown. `drained` is how
    an answer ended that was read on after its client had left (completed, failed or abandoned); otherwise None.
    `trace_id` is empty unless the call is traced.
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
    """`events` of a stream were dropped because the client read too slowly, as `streaming.overflow` allows."""

    request_id: str
    events: int


class ClientLeft(Signal, frozen=True):
    """A client left a call of a route that drains: its answer is read on (`drained`), or there was no room for that."""

    request_id: str
    drained: bool


class StreamResumed(Signal, frozen=True):
    """
    A client resumed a stream after its first `events` events; `live`: the stream was still under way.

    `request_id` is that of the call that the stream belongs to.
    """

    request_id: str
    events: int
    live: bool


class CallRepeated(Signal, frozen=True):
    """A call repeated an earlier one, and got its answer."""

    request_id: str


class CallRefused(Signal, frozen=True):
    """A request was refused at the edge before it became a call (bad JSON, too large a body, ...)."""

    request_id: str
    endpoint: str
    status: int
    code: str


class InternalFault(Signal, frozen=True):
    """An unexpected exception, which is a bug: `error` is its type and `trace` its frames, without its message."""

    request_id: str
    error: str
    trace: str


class SessionTurnKept(Signal, frozen=True):
    """A turn was added to its session; `trimmed` old messages were not sent with it."""

    trimmed: int


class SessionTurnLost(Signal, frozen=True):
    """An answer was sent, but could not be added to its session; `code` is the code of the error."""

    request_id: str
    code: str
