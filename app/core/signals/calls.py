"""What becomes of calls and of the turns of their sessions: their start, their stream, their end."""

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
    A stream committed: the client is about to see it. Seconds are counted from the start of the call.

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

    `model` is what the client asked for; `provider` and `target_model` say who answered or failed last (empty when
    no target was reached). `outcome` is completed, failed or abandoned; `code` names the error's row, or is empty.
    `overhead_s` is the time up to the commit point that was not spent waiting for a provider. `tokens_per_s` is
    measured between the first and the last event of a stream whose usage is known, and `longest_gap_s` is the longest
    time in which such a stream said nothing after it began. `cost_usd` is that of all attempts,
    None if nobody knows their price. `drained` says how the answer ended that was read on after its client had left
    (completed, failed or abandoned); None of any other. `trace_id` is empty unless the call is traced.
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
    """A client that read too slowly did not get `events` of its stream, as `streaming.overflow` allows."""

    request_id: str
    events: int


class ClientLeft(Signal, frozen=True):
    """A client left a call of a route that drains: its answer is read on, or nobody had room for that."""

    request_id: str
    drained: bool


class StreamResumed(Signal, frozen=True):
    """
    A client went on with a stream after its first `events` events; `live` says that the stream was still under way.

    `request_id` is that of the call whose stream it is.
    """

    request_id: str
    events: int
    live: bool


class CallRepeated(Signal, frozen=True):
    """A call repeated one that was answered before, and got that answer."""

    request_id: str


class CallRefused(Signal, frozen=True):
    """A request was refused at the edge before it became a call (bad JSON, too large a body, ...)."""

    request_id: str
    endpoint: str
    status: int
    code: str


class InternalFault(Signal, frozen=True):
    """Something that is a bug: `error` is the exception's type and `trace` its frames, without its message."""

    request_id: str
    error: str
    trace: str


class SessionTurnKept(Signal, frozen=True):
    """A turn was added to its session; `trimmed` messages of the past were too old to be sent with it."""

    trimmed: int


class SessionTurnLost(Signal, frozen=True):
    """An answer was given, but could not be added to its session; `code` names the row of the error table."""

    request_id: str
    code: str
