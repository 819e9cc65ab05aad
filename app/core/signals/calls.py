"""What becomes of a call: its start, its stream, its end."""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from app.core.usage import Usage


class CallStarted(msgspec.Struct, frozen=True):
    """A call entered the pipeline."""

    request_id: str
    endpoint: str
    model: str
    stream: bool


class StreamStarted(msgspec.Struct, frozen=True):
    """
    A stream committed: the client is about to see it. Seconds are counted from the start of the call.

    `trace_id` is empty unless the call is traced.
    """

    request_id: str
    provider: str
    model: str
    first_token_s: float
    trace_id: str = ""


class CallEnded(msgspec.Struct, frozen=True):
    """
    A call left the pipeline; for a stream, after its last byte.

    `model` is what the client asked for; `provider` and `target_model` say who answered or failed last (empty when
    no target was reached). `outcome` is completed, failed or abandoned; `code` names the error's row, or is empty.
    `overhead_s` is the time up to the commit point that was not spent waiting for a provider. `tokens_per_s` is
    measured between the first and the last event of a stream whose usage is known. `cost_usd` is that of all attempts,
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


class StreamTrimmed(msgspec.Struct, frozen=True):
    """A client that read too slowly did not get `events` of its stream, as `streaming.overflow` allows."""

    request_id: str
    events: int


class ClientLeft(msgspec.Struct, frozen=True):
    """A client left a call of a route that drains: its answer is read on, or nobody had room for that."""

    request_id: str
    drained: bool


class StreamResumed(msgspec.Struct, frozen=True):
    """
    A client went on with a stream after its first `events` events; `live` says that the stream was still under way.

    `request_id` is that of the call whose stream it is.
    """

    request_id: str
    events: int
    live: bool


class CallRepeated(msgspec.Struct, frozen=True):
    """A call repeated one that was answered before, and got that answer."""

    request_id: str


class CallRefused(msgspec.Struct, frozen=True):
    """A request was refused at the edge before it became a call (bad JSON, too large a body, ...)."""

    request_id: str
    endpoint: str
    status: int
    code: str


class InternalFault(msgspec.Struct, frozen=True):
    """Something that is a bug: `error` is the exception's type and `trace` its frames, without its message."""

    request_id: str
    error: str
    trace: str


CallSignal: TypeAlias = (
    CallStarted
    | StreamStarted
    | StreamTrimmed
    | StreamResumed
    | CallEnded
    | ClientLeft
    | CallRepeated
    | CallRefused
    | InternalFault
)
